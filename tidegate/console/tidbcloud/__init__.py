"""The TiDB Cloud side: clusters, the Connect dialog, networking, SQL users (``reference/tidbcloud.md`` 5 and 6)."""
