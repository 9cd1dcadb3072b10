"""A picture that shows itself in a notebook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from optuna.trial import FrozenTrial

from search.errors import UsageError
from storage.atomic_write import write_bytes
from storage.store import Store
from storage.temporary_folder import temporary_folder


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture; a notebook shows it. title: what it shows. png: the file."""

    title: str
    png: bytes = field(repr=False)

    def save(self, path: str | Path) -> None:
        """Write it as a PNG, whole or not at all. Raises UsageError where it cannot be written."""
        try:
            write_bytes(Path(path), self.png)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror or error}), choose another place") from error

    def _repr_png_(self) -> bytes:
        return self.png


def drawn(title: str, draw: Callable[[Path], None]) -> Picture:
    """The picture that is drawn into a file."""
    with temporary_folder() as folder:
        draw(folder / "picture.png")
        return Picture(title=title, png=(folder / "picture.png").read_bytes())


def picture_of(store: Store, trial: FrozenTrial, name: str, title: str) -> Picture:
    """The picture of this name that the trial carries.

    Raises UsageError where it carries none, ArtifactError where it has not arrived in the artifact store.
    """
    from optuna.artifacts import get_all_artifact_meta  # here: it loads boto3, which `status` needs not

    files = get_all_artifact_meta(trial, storage=store.trials)
    found = next((file.artifact_id for file in files if file.filename == name), None)
    if found is None:
        state = trial.state.name.lower()
        raise UsageError(f"trial {trial.number} is {state} and has no pictures: a complete trial was expected")
    with store.artifacts.open_reader(found) as reader:
        return Picture(title=title, png=reader.read())
