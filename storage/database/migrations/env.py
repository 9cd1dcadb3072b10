"""What alembic runs for each command: our tables only, on the connection that the caller holds."""

from __future__ import annotations

from alembic import context

from storage.database.migrations import VERSION_TABLE
from storage.database.schema import Table


def migrate() -> None:
    """Run the wanted revisions inside the caller's transaction, so that they are kept or lost together."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Table.metadata,
        version_table=VERSION_TABLE,
        include_name=lambda name, kind, _parents: kind != "table" or (name or "").startswith("marsearch_"),
        transactional_ddl=True,  # SQLite can, once its transaction was begun by hand
        render_as_batch=True,
    )
    context.run_migrations()


migrate()
