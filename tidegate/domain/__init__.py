"""What things are, what may follow what, and who is refused: frozen values and rules, standard library only.

No I/O, no clock, no randomness: times and random bytes are passed in.  The words (``docs/glossary.md`` has each
cloud's own beside them)::

    Region --has--> Zone                         catalogue.py
    Vpc --has--> Subnet --holds--> NetworkInterface   vpcs.py subnets.py interfaces.py
    SecurityGroup --has--> SecurityGroupRule     security_groups.py
    EndpointService <--connects-- Endpoint       services.py connections.py endpoints.py
    EndpointService --leads to--> ServiceResource   service_resources.py
    Cluster (behind its region's service, told apart by its user-name prefix)   clusters.py
    Tag, resource group: how people sort what they have   tags.py resource_groups.py
    Status: what became of a wish, with the generation it answers   status.py
    Refusal: why not, as facts                   refusals.py
"""
