"""The operator's API: what Tidegate's own command line needs and no cloud's API has.

For the one who runs the host, across all accounts: ``Authorization: Bearer`` with the token in ``keys/operator-token``.

::

    GET /tidegate/v1/status                               every resource with one sentence on it, and the agent
    GET /tidegate/v1/clusters/{id}/connection             what the Connect dialog shows (type=private)
    GET /tidegate/v1/vpcs/{id}/host-interfaces            where programs can be started inside a VPC

Answers are JSON; refusals are ``{"code", "message"}`` (``errors.py``).  It only reads: every change goes through a
cloud's API.
"""
