"""The operator's API: what Tidegate's own command line needs and no cloud's API has.

For the one who runs the host, across all accounts: ``Authorization: Bearer`` with the token in ``keys/operator-token``.

::

    GET /tidegate/v1/status                               every resource with one sentence on it, and the agent
    GET /tidegate/v1/clusters/{id}/connection             what the Connect dialog shows (type=private)
    GET /tidegate/v1/vpcs/{id}/host-interfaces            where programs can be started inside a VPC
    GET, POST /tidegate/v1/accounts and .../{id}/keys     who may call the APIs (``accounts.py``)
    GET, POST /tidegate/v1/users and .../{name}/link      who may use the consoles (``users.py``)

Answers are JSON; refusals are ``{"code", "message"}`` (``errors.py``).  Of clusters and networks it only reads:
every change of those goes through a cloud's API.
"""
