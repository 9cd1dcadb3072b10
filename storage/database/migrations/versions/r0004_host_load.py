"""How busy a host's machine is, and the last lines of its log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; hosts of before have told neither."""
    op.add_column("marsearch_hosts", sa.Column("load", sa.JSON(), nullable=True))
    op.add_column("marsearch_hosts", sa.Column("log", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in ("load", "log"):
        op.drop_column("marsearch_hosts", name)
