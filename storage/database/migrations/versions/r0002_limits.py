"""Limits of a study's recipes: parameters and GPU memory. Studies from before have none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add their columns to the plans."""
    op.add_column("marsearch_plans", sa.Column("max_params", sa.BigInteger(), nullable=True))
    op.add_column("marsearch_plans", sa.Column("max_gpu_gb", sa.Double(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    with op.batch_alter_table("marsearch_plans") as table:
        table.drop_column("max_gpu_gb")
        table.drop_column("max_params")
