"""How a study stands, as a report and in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.host.progress import clock
from search.studies.reports import study_report
from search.training.metrics import beside, both
from storage.store import Store
from storage.studies.ends import End
from storage.trials.queries import so_far

NO_TRIAL = "  best  no complete trial yet"
SHOWN_S = 3600.0  # for so long a lost worker has a line of its own


@dataclass(frozen=True)
class Status:
    """How a study stood when it was asked; as text what `marsearch status` prints.

    report: the document of `marsearch status --json`.
    """

    report: Mapping[str, Any]

    @property
    def state(self) -> str:
        """In one word: running, idle, paused, stopped or finished."""
        return str(self.report["state"])

    @property
    def finished(self) -> int:
        """Trials that count towards the target."""
        return int(self.report["finished"])

    @property
    def target(self) -> int:
        """Finished trials that end the study."""
        return int(self.report["target"])

    @property
    def trials(self) -> dict[str, int]:
        """How many there are, by state: complete, pruned, failed, running, waiting."""
        return dict(self.report["trials"])

    def __str__(self) -> str:
        report, best = self.report, self.report["best"]
        counts = ", ".join(f"{number} {state}" for state, number in _states(report).items() if number) or "none yet"
        finished = f"{so_far(self.finished, self.target)} finished"
        lines = [
            f"study {report['study']}: {self.state}, {finished} ({counts})",
            f"  best  {best['value']:.4f}, trial {best['number']}{_constant(report)}" if best else NO_TRIAL,
        ]
        if report["budget_s"] is not None:
            lines.append(f"  time  {clock(report['worked_s'])} of {clock(report['budget_s'])}")
        if report["end"] is not None:
            end = End(**report["end"])
            lines.append(f"  ends  {end.reason}: {end.remedy}")
        if held := report["holdout"]:
            lines.append(f"  held out  {_held_out(held)}")
        lines += _workers(report["workers"])
        if self.state in ("paused", "stopped"):
            lines.append(f"  go on with: marsearch study resume {report['study']}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)


def held_up(store: Store, study: str) -> str:
    """Why nobody takes up what waits, and what helps; "" where somebody does."""
    known = study_report(store, study)
    match known["state"]:
        case "finished" if known["end"] is not None:
            end = End(**known["end"])
            return f": the study has ended, {end.reason}, {end.remedy}"
        case "finished":
            enough = known["finished"] + known["trials"]["waiting"]
            command = f"marsearch work {study} --trials {enough}"
            return f": the study has its {known['target']} trials, go on with: {command}"
        case "idle":
            return f": nobody works on it, start with: marsearch work {study}"
        case "running":
            return ""
    return f": the study is {known['state']}, go on with: marsearch study resume {study}"


def _workers(workers: list[dict[str, Any]]) -> list[str]:
    """A line for each that is there, and one on those that are gone."""
    gone, lines = {"left": 0, "lost": 0}, []
    for worker in workers:
        if worker["state"] == "left" or (worker["state"] == "lost" and worker["beat_age_s"] > SHOWN_S):
            gone[worker["state"]] += 1
        else:
            where = f"{worker['id']} on {worker['host']} ({worker['device']})"
            does = [f"trial {t['trial']} epoch {t['epoch']} of {t['epochs']}" for t in worker["training"]]
            heard = f"heard of {clock(worker['beat_age_s'])} ago{': ' if does else ''}{', '.join(does)}"
            lines.append(f"  worker {where}, {worker['state']}, {heard}")
    if any(gone.values()):
        lines.append(f"  workers gone: {gone['left']} left in order, {gone['lost']} lost")
    return lines


def _states(report: Mapping[str, Any]) -> dict[str, int]:
    """The trials by state; what hosts hold beyond the trainings they have room for is not running but ending."""
    room = sum(worker["slots"] for worker in report["workers"] if worker["state"] == "working")
    trials: dict[str, int] = report["trials"]
    ending = max(0, trials["running"] - room) if room else 0
    return trials | {"running": trials["running"] - ending, "ending": ending}


def _constant(report: Mapping[str, Any]) -> str:
    """What the best constant answer has in the objective; "" where the study does not say."""
    return beside(report["best"]["constant"][report["objective"] or "miou"])


def _held_out(held: Mapping[str, Any]) -> str:
    if not held["looks"]:
        return f"{held['images']} images, not looked at yet"
    scores = both(*(math.nan if held[name] is None else held[name] for name in ("miou", "miou_strict")))
    times = "once" if held["looks"] == 1 else f"{held['looks']} times"
    return f"{held['images']} images, looked at {times}: {scores}, trial {held['trial']}"
