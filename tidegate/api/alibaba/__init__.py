"""Alibaba Cloud's RPC APIs (VPC, ECS, PrivateLink, STS, Location, billing) in front of our operations.

::

    gateway.py   the adapter: name the action, check the signature, call, answer
    signature.py V1 and ACS3
    wire.py      parameters in, JSON or XML out
    actions.py   the table of actions: version, name, parameters; ``Call``, what an action is given
    errors.py    the table of refusals: code, HTTP status, message
    paging.py    page numbers, and next tokens that cannot be made up
    vpcs.py subnets.py security_groups.py security_group_rules.py interfaces.py services.py endpoints.py tags.py
    resource_groups.py places.py accounts.py billing.py
    published_services.py service_resources.py service_users.py connections.py: what a service's owner does

A file of the last rows turns the cloud's words into domain values and back, no more; what may be done is decided in
``tidegate.operations`` and ``tidegate.domain``.
"""
