"""The environment of the hosts of a cluster: database, files and credentials, refused where not all can reach them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from search.cluster.placement import Node
from search.errors import UsageError
from search.settings import STORAGE_VARIABLES, Settings
from storage.database.engine import read_url, redact


def environment_of(settings: Settings, nodes: Sequence[Node], variables: Mapping[str, str]) -> dict[str, str]:
    """The variables of every host. They are secret: pass them in memory, never on a command line or in a log.

    A relative home is the same absolute path on each node, where it is created.
    Raises UsageError for an SQLite file, and for a relative artifact folder, when there are several machines;
    DatabaseError for a URL that is none.
    """
    machines = len({node.address for node in nodes})
    passed_on = {name: value for name, value in variables.items() if name.startswith(STORAGE_VARIABLES)}
    return passed_on | {
        "MARSEARCH_HOME": str(settings.home.absolute()),
        "MARSEARCH_STORAGE": _database(settings.storage, machines),
        "MARSEARCH_ARTIFACTS": _artifacts(settings.artifacts, machines),
    }


def _database(url: str, machines: int) -> str:
    parsed = read_url(url)
    if not parsed.drivername.startswith("sqlite"):
        return url
    if machines > 1:
        raise UsageError(
            f"MARSEARCH_STORAGE={redact(url)}: a file that {machines} machines cannot share, a PostgreSQL URL that all"
            " of them reach was expected"
        )
    return f"sqlite:///{Path(parsed.database or '').absolute()}"


def _artifacts(place: str, machines: int) -> str:
    if "://" in place or Path(place).is_absolute():
        return place
    if machines > 1:
        raise UsageError(
            f"MARSEARCH_ARTIFACTS={place}: another folder on each of {machines} machines, s3://bucket/prefix or the"
            " absolute path of a folder that all of them share was expected"
        )
    return str(Path(place).absolute())
