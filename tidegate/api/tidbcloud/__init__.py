"""The TiDB Cloud API (``v1beta1``), as the clients of Starter and Essential speak it.

::

    adapter.py    key -> rate limit -> route -> call -> answer, each answer with the cloud's headers
      credentials.py   whose request it is; digest.py: the HTTP digest it is signed with
      limits.py        how many requests a key has left in this minute
      routes.py        method and path -> the function that answers; what is not offered, by name
      clusters.py, regions.py, projects.py    one file per resource: wire words in, operations called, wire words out
      wire.py       JSON bodies, numbers and times; filters.py, paging.py: the list parameters
      errors.py     one table: refusal -> google.rpc.Status

Serverless and IAM are two hosts of the cloud (``serverless.tidbapi.com``, ``iam.tidbapi.com``) with disjoint paths, so
here they share one; only their error shapes differ.  Source of all facts: ``reference/tidbcloud.md`` 1 and 2.
"""
