"""The picture of the path: regions, VPCs, endpoints, services, clusters, with traffic and with what was refused where.

::

    operations/topology.py --Topology--> grouping.py --Scene--> layout.py --Picture--> templates/topology/
      what there is, and what             what is shown,         where it stands         as SVG, and as tables
      its packets did                     what is counted        (no words)              (the words)

Grouping and layout are pure.  A picture of a thousand endpoints has as many shapes as one of twenty: the rest is
counted in groups, which open by a link (``?open=<VPC, or region>``), a bounded slice at a time.
"""
