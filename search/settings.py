"""The environment, read once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STORAGE_VARIABLES = ("MARSEARCH_", "PG", "AWS_")
"""Variables that begin so open the database and the artifact store: hosts get them, worker processes do not."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a command finds the study's database and files.

    storage: SQLAlchemy URL (`MARSEARCH_STORAGE`); default is `marsearch.db` (SQLite) in home.
    artifacts: directory or `s3://bucket/prefix` (`MARSEARCH_ARTIFACTS`); default is `artifacts` in home.
    home: local directory for defaults, caches and logs (`MARSEARCH_HOME`); default is `./runs`.
    """

    storage: str
    artifacts: str
    home: Path


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings that the environment variables ask for; empty ones count as unset."""
    home = Path(environment.get("MARSEARCH_HOME") or "runs")
    return Settings(
        storage=environment.get("MARSEARCH_STORAGE") or f"sqlite:///{home / 'marsearch.db'}",
        artifacts=environment.get("MARSEARCH_ARTIFACTS") or str(home / "artifacts"),
        home=home,
    )
