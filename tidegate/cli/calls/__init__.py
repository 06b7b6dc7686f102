"""What the commands ask of the public APIs, in the neutral words of ``docs/glossary.md``; nothing is printed here.

networks: VPCs, subnets, security groups, interfaces.  endpoints: verify, create, wait, delete.  clusters: the same.
"""
