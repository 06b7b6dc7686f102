"""The network of one host: a namespace per VPC that routes and judges, one per region where databases live.

``config.py`` says what is wanted, ``hops.py`` where a packet goes, ``ruleset.py`` and ``wiring.py`` plan (pure),
``links.py`` and ``netfilter.py`` speak to the kernel, ``linux.py`` is the driver.  See docs/decisions/0002.
"""
