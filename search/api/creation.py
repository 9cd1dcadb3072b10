"""Making a study, and what is said of it."""

from __future__ import annotations

from pathlib import Path

from search.commands.pace import pace_note
from search.log import tell
from search.studies.create import Plan, create, plan
from search.studies.limits import limits_note, weights_note
from search.studies.study import StudyDefinition
from storage.database.engine import is_missing
from storage.store import Store
from storage.studies.config import StudyConfig


def plan_before_database(url: str, config: StudyConfig, data: Path, space_name: str) -> Plan | None:
    """The study as it will be created, where the database is a file that is not there yet; else None.

    So what cannot become a study leaves no empty database behind. Raises as `search.studies.create.plan`.
    """
    return plan(config, data, space_name=space_name) if is_missing(url) else None


def make(
    store: Store,
    config: StudyConfig,
    data: Path,
    space_name: str,
    home: Path,
    *,
    planned: Plan | None = None,
    device: str = "auto",
    workers: int | None = None,
) -> None:
    """Create the study and say what came of it; the same one again changes nothing.

    How long it will take is measured where that is worth it. space_name: what the space is called in messages.
    home: in whose cache the data are kept. planned: by `plan_before_database`. device, workers: as the study will be
    worked on. Raises as `search.studies.create.create`.
    """
    created, name = create(store, config, data, space_name=space_name, planned=planned), config.study
    for note in created.notes:
        tell(note, "note", study=name)
    if not created.new:
        tell(f"study {name} is there already, with the same data and space", "study found", study=name)
        return
    study = StudyDefinition(created.config)
    for note in study.report.notes:
        tell(note, "note on the data", study=name)
    made = f"study {name} created in {store.url}; {weights_note(study)}; {study.constant}"
    tell(made, "study created", study=name, target=config.trials)
    if limits := limits_note(study):
        tell(limits, "note", study=name)
    if pace := pace_note(store, created.config, home, device=device, workers=workers):
        tell(pace, "pace", study=name)
