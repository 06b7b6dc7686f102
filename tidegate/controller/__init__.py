"""The level-triggered loop: reads the wishes anew, plans whole configurations, lets the host apply them, writes why.

::

    wake("endpoint", "ep-1")           a name, never an event; after a commit, a push of the agent, or by the timer
        -> world.py    read all rows that this name's part is made of
        -> plan.py     pure: rows -> parts of the HostConfig
        -> host        apply the whole; only the difference travels
        -> vpcs.py, endpoints.py, clusters.py   one reconciler per resource: the Outcome, the status rows
"""
