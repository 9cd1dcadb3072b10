"""Telling the workers of a study to wait, to go on or to leave."""

from __future__ import annotations

from dataclasses import dataclass

from search.log import tell
from storage.store import Store
from storage.studies.control import Command, set_command
from storage.studies.liveness import attending


@dataclass(frozen=True, kw_only=True)
class _Words:
    """What is said of a command: done, what the workers do, what holds where there are none, and how it goes on."""

    done: str
    workers: str
    nobody: str
    then: str = ""


_WORDS: dict[Command, _Words] = {
    "pause": _Words(
        done="paused",
        workers="hand their trials back and wait",
        nobody="workers that come will wait",
        then="; go on with: marsearch study resume {study}",
    ),
    "run": _Words(done="resumed", workers="go on", nobody="nobody works on it, start with: marsearch work {study}"),
    "stop": _Words(
        done="stopped",
        workers="hand their trials back and leave",
        nobody="nobody works on it",
        then="; allow it again with: marsearch study resume {study}",
    ),
}


def give(store: Store, study: str, command: Command) -> None:
    """Give the command to all workers of the study and say what comes of it. Raises StudyError for an unknown one."""
    set_command(store, study, command)
    words, there = _WORDS[command], len(attending(store, study))
    what = f"its workers ({there}) {words.workers}" if there else words.nobody.format(study=study)
    said = f"study {study} is {words.done}: {what}{words.then.format(study=study)}"
    tell(said, f"study {words.done}", study=study, workers=there)
