"""The clouds' APIs on one port: ``chain.py`` is the road of every request, each folder one cloud's words for our
operations.

::

    chain.py ── reads, tells the product, counts ──> alibaba/    signature, wire, errors, one file per resource
                                                ──> tidbcloud/  the same for TiDB Cloud
                                                ──> operator/   ours: status, credentials, topology
"""
