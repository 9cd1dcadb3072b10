"""A study as large as they get, written straight into the tables: what a search of weeks leaves behind.

    python benchmarks/large_study.py URL [--trials 10000] [--epochs 50]

40% of the trials are complete, 55% pruned, 5% failed; four still run at the end. Every tenth complete trial violates a
constraint, and so does the one of the highest value, so that the true best is known: `Facts.best`.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import optuna
from optuna.distributions import distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy import insert
from sqlalchemy.orm import Session

from spaces import DataFacts, bind, dump_domains
from storage.database.schema import AttemptTable
from storage.store import Store, open_store
from storage.studies.config import StudyConfig
from storage.studies.studies import create_study, study_id
from storage.trials.finish import RUNNING

CLASSES = ("background", "soil", "bedrock", "sand", "big rock")
STUDY = "large"
ALIVE = timedelta(days=1)  # for so long the running trials count as alive, without anybody who trains them
RECIPES = 400  # sampled from the whole space, then used again and again


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is true of the study. best: number of the best trial. violating: one that is better, but must not be."""

    study_id: int
    best: int
    violating: int


def fill(store: Store, trials: int, epochs: int, *, zombie: bool = False, name: str = STUDY) -> Facts:
    """Write the study. zombie: trial 5 is running, without anyone who trains it."""
    chance = random.Random(1)
    facts = DataFacts(channels=1, height=64, width=128, class_names=CLASSES, excluded=("background",))
    create_study(store, _plan(name, trials, epochs, facts))
    number = study_id(store, name)
    recipes = _recipes(facts, epochs)
    states = _states(chance, trials, zombie)
    complete = [n for n, state in enumerate(states) if state is TrialState.COMPLETE]
    violating, best = complete[len(complete) // 2], complete[len(complete) // 3]
    values = {n: min(0.55, max(0.02, chance.gauss(0.3 + 0.1 * n / trials, 0.06))) for n in range(trials)}
    values |= {violating: 0.71, best: 0.62}
    store.transact(lambda s: _write(s, number, recipes, states, values, {violating, *complete[::10]} - {best}, epochs))
    return Facts(study_id=number, best=best, violating=violating)


def _plan(name: str, trials: int, epochs: int, facts: DataFacts) -> StudyConfig:
    split = json.dumps(
        {
            "train": list(range(100)),
            "validation": list(range(100, 125)),
            "holdout": [],
            "method": "stratified",
            "seed": 1,
        }
    )
    return StudyConfig(
        study=name,
        data_digest="d" * 64,
        space_digest="e" * 64,
        space="",
        facts=facts.model_dump_json(),
        sampler="tpe",
        pruner="asha",
        objective="miou",
        trials=trials,
        epochs=epochs,
        warm_start="none",
        holdout=0.0,
        keep=10,
        seed=1,
        split=split,
        max_params=5_000_000,
        domains=dump_domains(bind(facts, epochs=epochs)),
    )


def _recipes(facts: DataFacts, epochs: int) -> list[optuna.trial.FrozenTrial]:
    space = bind(facts, "", epochs=epochs)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(RECIPES):
        trial = study.ask()
        space.suggest(trial)
        study.tell(trial, 0.0)
    return study.get_trials(deepcopy=False)


def _states(chance: random.Random, trials: int, zombie: bool) -> list[TrialState]:
    kinds = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    states = chance.choices(kinds, (40, 55, 5), k=trials)
    states[-4:] = [TrialState.RUNNING] * 4
    if zombie:
        states[5] = TrialState.RUNNING
    return states


def _write(
    session: Session,
    study: int,
    recipes: list[optuna.trial.FrozenTrial],
    states: list[TrialState],
    values: Mapping[int, float],
    violating: set[int],
    epochs: int,
) -> None:
    began = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=60 * len(states))
    rows = [_trial(study, number, state, began) for number, state in enumerate(states)]
    ids = list(session.scalars(insert(models.TrialModel).returning(models.TrialModel.trial_id), rows))
    texts: dict[Any, str] = {}
    _insert(
        session, models.TrialParamModel, (p for n, i in enumerate(ids) for p in _params(i, recipes[n % RECIPES], texts))
    )
    told = [(i, n) for n, i in enumerate(ids) if states[n] is TrialState.COMPLETE]
    _insert(session, models.TrialValueModel, (_value(i, values[n]) for i, n in told))
    _insert(
        session,
        models.TrialIntermediateValueModel,
        (p for n, i in enumerate(ids) for p in _curve(i, values[n], epochs)),
    )
    _insert(session, models.TrialUserAttributeModel, (a for i, n in told for a in _user(i, n, values[n], epochs)))
    system = (a for n, i in enumerate(ids) for a in _system(i, values[n], 0.4 if n in violating else -1.0))
    _insert(session, models.TrialSystemAttributeModel, system)
    _insert(session, AttemptTable, (_attempt(study, i, n) for n, i in list(enumerate(ids))[-4:]))


def _attempt(study: int, trial_id: int, number: int) -> dict[str, Any]:
    """An attempt that counts as alive although no host trains it."""
    now = datetime.now(UTC)
    none = {"host": "", "device": "cpu", "reason": "", "value": None, "parameters": 0, "weights_artifact": ""}
    return none | {
        "trial_id": trial_id, "study_id": study, "trial": number, "state": RUNNING, "started": now,
        "heard": now + ALIVE, "finished": None,
    }  # fmt: skip


def _insert(session: Session, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == 20_000:
            session.execute(insert(table.__table__), some)
            some = []
    if some:
        session.execute(insert(table.__table__), some)


def _trial(study: int, number: int, state: TrialState, began: datetime) -> dict[str, Any]:
    start = began + timedelta(seconds=60 * number)
    end = start + timedelta(seconds=45) if state.is_finished() else None
    times = {"_datetime_start_utc": start, "_datetime_complete_utc": end}
    return {"number": number, "study_id": study, "state": state} | times


def _params(trial: int, recipe: optuna.trial.FrozenTrial, texts: dict[Any, str]) -> Iterable[dict[str, Any]]:
    for name, value in recipe.params.items():
        distribution = recipe.distributions[name]
        text = texts.get(distribution) or texts.setdefault(distribution, distribution_to_json(distribution))
        inside = distribution.to_internal_repr(value)
        yield {"trial_id": trial, "param_name": name, "param_value": inside, "distribution_json": text}


def _value(trial: int, value: float) -> dict[str, Any]:
    kind = models.TrialValueModel.TrialValueType.FINITE
    return {"trial_id": trial, "objective": 0, "value": value, "value_type": kind}


def _curve(trial: int, value: float, epochs: int) -> Iterable[dict[str, Any]]:
    kind = models.TrialIntermediateValueModel.TrialIntermediateValueType.FINITE
    for step in range(1, epochs + 1):
        reached = value * (1 - math.exp(-5 * step / epochs)) / (1 - math.exp(-5)) + 1e-4 * ((step * 7919 + trial) % 97)
        yield {"trial_id": trial, "step": step, "intermediate_value": reached, "intermediate_value_type": kind}


def _user(trial: int, number: int, value: float, epochs: int) -> Iterable[dict[str, Any]]:
    iou = {f"iou_{name}": max(0.0, value + 0.1 * math.sin(number * 13 + 5 * k)) for k, name in enumerate(CLASSES[1:])}
    told = iou | {"miou": value, "miou_strict": value * 0.8, "epochs": epochs, "parameters": 10_000 + 97 * number}
    for key, known in (told | {"confusion": [[5000, 10, 3, 2, 1]] * 5}).items():
        yield {"trial_id": trial, "key": key, "value_json": json.dumps(known)}


def _system(trial: int, value: float, violation: float) -> Iterable[dict[str, Any]]:
    for rung in range(4):
        yield {"trial_id": trial, "key": f"completed_rung_{rung}", "value_json": json.dumps(value * (rung + 1) / 4)}
    yield {"trial_id": trial, "key": "constraints:params", "value_json": json.dumps(violation)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--zombie", action="store_true")
    told = parser.parse_args()
    store = open_store(told.url, "artifacts")
    print(fill(store, told.trials, told.epochs, zombie=told.zombie))


if __name__ == "__main__":
    main()
