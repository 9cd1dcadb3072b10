"""What an artifact may be called, and what is raised when there is none of that name."""

from __future__ import annotations

import re

from storage.errors import ArtifactError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")


def not_found() -> type[Exception]:
    """Optuna's ArtifactNotFound, imported only when it is needed: its package loads boto3."""
    from optuna.artifacts.exceptions import ArtifactNotFound

    return ArtifactNotFound


def is_artifact_id(name: str) -> bool:
    """Whether an artifact may have this name: it cannot lead out of a folder."""
    return _NAME.fullmatch(name) is not None


def checked(artifact_id: str) -> str:
    """The id itself. Raises ArtifactError for one that is no plain name."""
    if not is_artifact_id(artifact_id):
        raise ArtifactError(f"{artifact_id!r} is no artifact id: use letters, digits, dot, dash and underscore only")
    return artifact_id
