"""The Alibaba side: VPCs, vSwitches, security groups, endpoints, endpoint services (``reference/alibaba.md`` 7).

Lists are of one region, which stands in the URL; what has an id is shown wherever it is.  What asks before it acts is a
page of its own (``visit.form_layout``): htmx opens it as a dialog over the page it belongs to, and a browser without
script goes there.
"""
