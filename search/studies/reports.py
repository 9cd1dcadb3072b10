"""Reports on studies: for `status`, `study list`, `trials` and the leaderboard."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, Literal

from optuna.trial import FrozenTrial, TrialState

from search.outcome.evaluation import constant_document, number
from search.outcome.leaderboard import Row, summarise
from search.studies.study import StudyDefinition
from search.training.epoch import SUMMARY
from search.training.metrics import Constant, mean_dice, scores
from spaces import Recipe, SpaceError
from storage.database.optuna_schema import trial_id_of
from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import shown
from storage.studies.control import Command, command
from storage.studies.ends import ends, is_over
from storage.studies.holdout import looks
from storage.studies.hosts import Host
from storage.studies.liveness import Presence, attending, presences
from storage.studies.studies import load_config, outcomes, trials_of
from storage.studies.summaries import study_summaries
from storage.trials.queries import best_of, count
from storage.trials.retries import earlier_attempts
from storage.trials.trial_times import seconds_of

State = Literal["running", "idle", "paused", "stopped", "finished"]


def study_report(store: Store, name: str) -> dict[str, Any]:
    """State, counts, the best trial and the workers, ready for JSON. Raises StudyError for an unknown study."""
    study = StudyDefinition(load_config(store, name))
    trials = outcomes(store, name)
    counts, best = count(trials), best_of(trials)
    known = presences(store, name)
    there = [each.host for each in known if each.state == "working"]
    limits = ends(store, name)
    end = limits.end(trials)
    over = is_over(finished=counts.finished, running=counts.running, target=study.config.trials, end=end)
    return shown(study.config) | {
        "study": name,
        "data": json.loads(study.config.report or "null"),
        "state": state_of(command(store, name), there, over=over),
        "target": study.config.trials,
        "finished": counts.finished,
        "end": asdict(end) if end is not None else None,
        "worked_s": round(limits.worked_s, 3),
        "trials": asdict(counts),
        "best": _best(study, store.trials.get_trial(trial_id_of(best))) if best is not None else None,
        "holdout": _holdout(store, study),
        "workers": [worker_report(each) for each in known],
    }


def study_list(store: Store) -> list[dict[str, Any]]:
    """Every study at a glance, by name, ready for JSON."""
    reports = []
    for summary in study_summaries(store):
        there, given = attending(store, summary.study), command(store, summary.study)
        seen = {"finished": summary.finished, "running": summary.running, "target": summary.target}
        known = {
            "state": state_of(given, there, over=is_over(**seen, end=summary.end)),
            "workers": len(there),
            "created": summary.created.isoformat(),
            "age_s": max(0.0, (datetime.now(UTC) - summary.created).total_seconds()),
        }
        reports.append(asdict(summary) | known)
    return reports


def state_of(command: Command, there: Sequence[Host], *, over: bool) -> State:
    """The state of a study in one word; "idle" when it is not over and no host works on it."""
    if over:
        return "finished"
    if command != "run":
        return "paused" if command == "pause" else "stopped"
    return "running" if there else "idle"


def trial_reports(store: Store, name: str) -> list[dict[str, Any]]:
    """One entry per trial in order of number, ready for JSON. Raises StudyError for an unknown study."""
    beside = {f"constant_{mean}": value for mean, value in constant_document(constant(store, name)).items()}
    return [_trial(trial) | beside for trial in trials_of(store, name)]


def leaderboard(store: Store, name: str) -> tuple[Row, ...]:
    """The rows of the leaderboard. Raises StudyError for an unknown study."""
    study = StudyDefinition(load_config(store, name))
    return tuple(replace(row_of(study, trial), mean_dice=_mean_dice(study, trial)) for trial in trials_of(store, name))


def constant(store: Store, name: str) -> Constant:
    """What the best constant answer reaches in the study. Raises StudyError for an unknown study."""
    return StudyDefinition(load_config(store, name)).constant


def row_of(study: StudyDefinition, trial: FrozenTrial) -> Row:
    """The trial's row of the leaderboard."""
    known, recipe = trial.user_attrs, recipe_of(study, trial)
    return Row(
        number=trial.number,
        state=trial.state.name.lower(),
        value=_value(trial),
        epochs=known.get("epochs", trial.last_step) or 0,
        parameters=known.get("parameters"),
        seconds=seconds_of(trial),
        summary="" if recipe is None else summarise(recipe),
        **_scores(trial),
    )


def _mean_dice(study: StudyDefinition, trial: FrozenTrial) -> float | None:
    """The mean Dice of the epoch that counts; None where the trial has no confusion matrix, or it is undefined."""
    confusion = trial.user_attrs.get("confusion")
    if confusion is None:
        return None
    return number(mean_dice(scores(confusion, study.facts), study.facts))


def _best(study: StudyDefinition, trial: FrozenTrial) -> dict[str, Any]:
    recipe = recipe_of(study, trial)
    shown = None if recipe is None else recipe.model_dump(mode="json")
    beside = constant_document(study.constant)
    return {"number": trial.number, "value": trial.value, **_scores(trial), "constant": beside, "recipe": shown}


def _holdout(store: Store, study: StudyDefinition) -> dict[str, Any] | None:
    """The part that no trial saw: how many images, how often the study was scored on them, and the newest scores."""
    images = len(study.split.holdout)
    if not images:
        return None
    seen = looks(store, study.config.study)
    newest = seen[-1] if seen else None
    scores = {name: getattr(newest, name, None) for name in ("trial", "miou", "miou_strict")}
    return {"images": images, "looks": len(seen), **scores}


def recipe_of(study: StudyDefinition, trial: FrozenTrial) -> Recipe | None:
    """The recipe; None before all parameters are there, or where today's axes cannot say what an older study tried."""
    try:
        return study.recipe(trial)
    except (SpaceError, StudyError):
        return None


def _trial(trial: FrozenTrial) -> dict[str, Any]:
    known, earlier = trial.user_attrs, earlier_attempts(trial)
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": _value(trial),
        "params": dict(trial.params),
        "duration_s": seconds_of(trial),
        "reason": known.get("reason"),
        "resumed_from_epoch": known.get("resumed_from_epoch"),
        "retry_of": earlier[-1] if earlier else None,
        **{name: known.get(name) for name in SUMMARY},
        "epochs": known.get("epochs", trial.last_step),
    }


def _scores(trial: FrozenTrial) -> dict[str, float | None]:
    return {name: trial.user_attrs.get(name) for name in ("miou", "miou_strict")}


def _value(trial: FrozenTrial) -> float | None:
    if trial.state is TrialState.COMPLETE:
        return trial.value
    return trial.intermediate_values[trial.last_step] if trial.last_step is not None else None


def worker_report(presence: Presence) -> dict[str, Any]:
    """One host, ready for JSON. state "lost": it has neither left nor shown any sign of life."""
    host, info = presence.host, presence.host.info
    return {
        "id": info.id,
        "study": info.study,
        "host": info.name,
        "pid": info.process.pid,
        "device": info.device,
        "slots": info.workers,
        "started": host.started.isoformat(),
        "beat": host.heartbeat.isoformat(),
        "state": presence.state,
        "trials": ", ".join(f"{each.trial}: {each.epoch}/{each.epochs}" for each in host.training),
        "beat_age_s": round(host.silent_s, 1),
        "training": [asdict(each) for each in host.training],
        "devices": [asdict(each) for each in host.signs.devices],
        "log": list(host.signs.log),
    }
