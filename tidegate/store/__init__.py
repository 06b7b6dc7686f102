"""Rows: takes and gives domain values, knows nothing of rules.

``schema.py`` the tables; ``rows.py`` one table as a collection of domain values; ``store.py`` transactions;
``migrations/`` Alembic.  A *wish* is a resource's own row with its generation; its *status* is a row of ``statuses``.
"""
