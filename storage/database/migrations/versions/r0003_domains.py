"""What a study's space allows on each axis, so that it stays what it was when the axes change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column to the plans; the first host that opens an older study fills it."""
    op.add_column("marsearch_plans", sa.Column("domains", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("marsearch_plans") as table:
        table.drop_column("domains")
