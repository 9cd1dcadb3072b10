"""The history of our tables' schema, kept apart from Optuna's by a version table of its own."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSION_TABLE = "marsearch_version"


def upgrade(connection: Connection) -> None:
    """Bring our tables to the newest revision, inside the connection's transaction; the caller commits.

    Raises alembic's CommandError when the database was made by a newer marsearch.
    """
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def head() -> str:
    """The newest revision that this version of marsearch knows."""
    return _scripts().get_current_head() or ""


def newest() -> str:
    """The name of the module that makes the newest revision."""
    return Path(_scripts().get_revision(head()).path).stem


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # A percent sign starts an interpolation in alembic's settings.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config
