"""Tidegate: a self-hosted private-connection system for TiDB.

Python decides, the kernel moves bytes.  The rooms, from the inside out::

    domain                      what things are and which changes are allowed; no I/O
    store -> operations         rows; and one function per thing an API call can do
    controller                  the level-triggered loop: wishes -> whole configurations
    dataplane gateway dns engine   the four that touch the world; each imports domain only
    agent                       one per host: holds the four, takes a whole HostConfig
    api cli                     the clouds' faces, and ours
    app                         the one room that builds concrete parts and hands them on

``docs/glossary.md`` has one word per thing; ``docs/decisions/`` has the reasons.
"""

__version__ = "0.1.0"
