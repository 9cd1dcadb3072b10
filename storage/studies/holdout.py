"""Looks at the part of a study's data that no trial saw: each one makes its score a little less independent."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from storage.database.schema import HoldoutTable, put
from storage.store import Store
from storage.studies.studies import study_id


@dataclass(frozen=True, kw_only=True)
class Look:
    """One trial's scores on the holdout, 0 to 1, None where undefined. looked: UTC."""

    trial: int
    miou: float | None
    miou_strict: float | None
    looked: datetime


def note_look(store: Store, study: str, trial: int, miou: float, miou_strict: float) -> int:
    """Note that the trial was scored on the holdout; how often the study was by now.

    miou, miou_strict: NaN where undefined. Raises StudyError for an unknown study.
    """
    row = {
        "id": secrets.token_hex(16),  # the same in every try of the transaction
        "study_id": study_id(store, study),
        "trial": trial,
        "miou": None if math.isnan(miou) else miou,
        "miou_strict": None if math.isnan(miou_strict) else miou_strict,
        "looked": datetime.now(UTC),
    }
    store.transact(lambda session: put(session, HoldoutTable, row, ["id"]))
    return len(looks(store, study))


def looks(store: Store, study: str) -> tuple[Look, ...]:
    """All looks, oldest first. Raises StudyError for an unknown study."""
    table = HoldoutTable
    of_study = select(table).where(table.study_id == study_id(store, study)).order_by(table.looked, table.id)
    rows = store.transact(lambda session: session.scalars(of_study).all())
    return tuple(Look(trial=r.trial, miou=r.miou, miou_strict=r.miou_strict, looked=r.looked) for r in rows)
