"""The two losses of an adversarial training, for each epoch."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; epochs from before have none."""
    for name in ("adversarial_loss", "discriminator_loss"):
        op.add_column("marsearch_epochs", sa.Column(name, sa.Double(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    for name in ("adversarial_loss", "discriminator_loss"):
        op.drop_column("marsearch_epochs", name)
