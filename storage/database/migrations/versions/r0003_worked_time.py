"""How long hosts have worked on a study, and until when that is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; what was worked before is not known."""
    op.add_column("marsearch_studies", sa.Column("worked_s", sa.Double(), nullable=False, server_default="0"))
    op.add_column("marsearch_studies", sa.Column("worked_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in ("worked_s", "worked_until"):
        op.drop_column("marsearch_studies", name)
