"""The first tables: data sets, studies, hosts, attempts, epochs and looks at a holdout."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "marsearch_datasets",
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("path_hint", sa.Text(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("tests", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("channels", sa.Integer(), nullable=False),
        sa.Column("class_names", sa.JSON(), nullable=False),
        sa.Column("class_shares", sa.JSON(), nullable=False),
        sa.Column("artifact_id", sa.String(length=255), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_marsearch_datasets"),
    )
    op.create_table(
        "marsearch_studies",
        sa.Column("study_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study", sa.String(length=512), nullable=False),
        sa.Column("data_digest", sa.String(length=128), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("study_id", name="pk_marsearch_studies"),
        sa.UniqueConstraint("study", name="uq_marsearch_studies_study"),
    )
    op.create_table(
        "marsearch_attempts",
        sa.Column("trial_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("parameters", sa.BigInteger(), nullable=False),
        sa.Column("weights_artifact", sa.String(length=255), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("trial_id", name="pk_marsearch_attempts"),
        sa.UniqueConstraint("study_id", "trial", name="uq_marsearch_attempts_study_id"),
    )
    op.create_table(
        "marsearch_hosts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("machine", sa.String(length=64), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("start", sa.String(length=64), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("workers", sa.Integer(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("training", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_marsearch_hosts"),
    )
    op.create_index("ix_marsearch_hosts_study_id_state", "marsearch_hosts", ["study_id", "state"], unique=False)
    op.create_table(
        "marsearch_epochs",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("train_loss", sa.Double(), nullable=True),
        sa.Column("validation_loss", sa.Double(), nullable=True),
        sa.Column("miou", sa.Double(), nullable=True),
        sa.Column("miou_strict", sa.Double(), nullable=True),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("iou", sa.JSON(), nullable=False),
        sa.Column("lr", sa.Double(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("memory_mb", sa.Double(), nullable=True),
        sa.Column("recorded", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id"], ["marsearch_attempts.trial_id"], name="fk_marsearch_epochs_trial_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("trial_id", "number", name="pk_marsearch_epochs"),
    )
    op.create_table(
        "marsearch_holdout_looks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("trial", sa.Integer(), nullable=False),
        sa.Column("miou", sa.Double(), nullable=True),
        sa.Column("miou_strict", sa.Double(), nullable=True),
        sa.Column("looked", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_marsearch_holdout_looks"),
    )
    op.create_index("ix_marsearch_holdout_looks_study_id", "marsearch_holdout_looks", ["study_id"], unique=False)


def downgrade() -> None:
    """Drop them."""
    for table in ("holdout_looks", "epochs", "hosts", "attempts", "studies", "datasets"):
        op.drop_table(f"marsearch_{table}")
