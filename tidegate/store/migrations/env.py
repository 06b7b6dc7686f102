"""Alembic's entry: always online, on the connection that :meth:`tidegate.store.store.Store.migrate` passes in."""

from alembic import context

from tidegate.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite cannot alter columns in place
)
with context.begin_transaction():
    context.run_migrations()
