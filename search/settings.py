"""The environment, read once, at the edge."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from urllib.parse import quote

from search.errors import UsageError
from storage.database.sqlite_url import sqlite_url

STORAGE_VARIABLES = ("MARSEARCH_", "PG", "AWS_")
"""Variables that begin so open the database and the artifact store: hosts get them, worker processes do not."""

SQLITE = "sqlite:///"


def for_child(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment for a Python process that must not import from the working directory.

    An empty part of PYTHONPATH means that directory, and comes about by `PYTHONPATH=$PYTHONPATH:/more`.
    """
    kept = dict(environment)
    if parts := [part for part in kept.pop("PYTHONPATH", "").split(os.pathsep) if part]:
        kept["PYTHONPATH"] = os.pathsep.join(parts)
    return kept


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
    """The settings that the environment variables ask for; empty ones count as unset.

    They are read as a shell would have written them, since many of them come from files that no shell reads: without
    the quotes and line ends around them, and in paths with `~` and `$NAME` expanded.
    Raises UsageError for one that still names no place then.
    """
    home = _text(environment, "MARSEARCH_HOME") or "runs"
    if "://" in home:
        raise UsageError("MARSEARCH_HOME is a URL, a folder of this machine was expected")
    place = Path(_expanded(environment, "MARSEARCH_HOME", home))
    storage = _text(environment, "MARSEARCH_STORAGE") or sqlite_url(place / "marsearch.db")
    if environment.get("MARSEARCH_STORAGE") and storage.startswith(SQLITE):
        path = storage.removeprefix(SQLITE)
        storage = SQLITE + _expanded(environment, "MARSEARCH_STORAGE", path, spell=quote)
    artifacts = _text(environment, "MARSEARCH_ARTIFACTS")
    if artifacts and "://" not in artifacts and not artifacts.startswith("s3:"):
        artifacts = _expanded(environment, "MARSEARCH_ARTIFACTS", artifacts)
    return Settings(storage=storage, artifacts=artifacts or str(place / "artifacts"), home=place)


def _text(environment: Mapping[str, str], name: str) -> str:
    """The variable without quotes and white space around it."""
    text = environment.get(name, "").strip()
    quoted = len(text) > 1 and text[0] in "'\"" and text[0] == text[-1]
    bare = text[1:-1].strip() if quoted else text
    if bare[:1] in ("'", '"') or not bare.isprintable():
        shown = "***" if "://" in text else repr(text)  # a URL may hold a password
        raise UsageError(f"{name}={shown}: a place without quotes or line ends in it was expected")
    return bare


def _expanded(
    environment: Mapping[str, str], name: str, path: str, *, spell: Callable[[str], str] = lambda text: text
) -> str:
    """The path with `~` and variables expanded; `$$` is a dollar. spell: how what is put in is written there."""
    user, slash, rest = path.partition("/")
    try:
        if user.startswith("~"):
            user = spell(str(Path(user).expanduser())).replace("$", "$$")
        return Template(f"{user}{slash}{rest}").substitute({key: spell(value) for key, value in environment.items()})
    except (KeyError, ValueError) as error:
        which = f"{error.args[0]} is not set" if isinstance(error, KeyError) else "a single $ names no variable"
        raise UsageError(f"{name}={path}: {which}; set it, or write $$ for a dollar sign in a name") from None
    except RuntimeError:
        raise UsageError(
            f"{name}={path}: there is no user {user}, the folder of one that is there was expected"
        ) from None
