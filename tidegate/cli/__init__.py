"""The command line: one file per command, each an HTTP client of the APIs that everybody's clients use.

::

    main.py        puts the commands together; every error becomes one sentence and an exit status
    up down status env demo tidb vpc cluster endpoint processes     one command, or one family, each
    calls/         what the commands ask of the APIs, without a word printed: networks, endpoints, clusters
    clients.py     the two signatures (ACS3, HTTP digest), and the operator's token
    access.py      finds the running installation and hands out its clients
    reports.py     tables, JSON, progress, secrets shown once

``up``, ``down`` and the hidden process commands call ``tidegate.app``; ``vpc exec`` enters a namespace through
``tidegate.agent.world``; everything else goes through HTTP, so it works on another machine as well.
"""
