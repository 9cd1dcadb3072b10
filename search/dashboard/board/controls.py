"""What people change on our page: commands, more trials, a recipe to try, a note; mostly what a command does, too.

A form is sent to an address of its own and answered with a redirection, or with the page again and a sentence beside
the form. Who may send one is decided before, for every request that writes (`search.dashboard.authentication`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import optuna
from optuna.trial import FrozenTrial

from search.dashboard.board.recipe_form import read_recipe_form
from search.dashboard.board.snapshot import Board
from search.errors import SearchError, UsageError
from search.studies.recipes import enqueue_recipe
from search.studies.study import StudyDefinition
from spaces import SpaceError
from storage.errors import StorageError
from storage.studies.control import set_command
from storage.studies.studies import create_study

MOST_TRIALS = 1_000_000
LONGEST_NOTE = 20_000  # characters

Sent = Mapping[str, str]
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Controls:
    """Changes the studies that a board shows. Every method raises UsageError with a sentence for people."""

    board: Board

    def command(self, study_id: int, sent: Sent) -> None:
        """Let the hosts of the study go on, pause or leave."""
        study, given = self.board.study(study_id), sent.get("command", "")
        match given:
            case "run" | "pause" | "stop":
                set_command(self.board.view.store, study.config.study, given)
            case _:
                raise UsageError(f"run, pause or stop was expected, got {given!r:.40}")

    def trials(self, study_id: int, sent: Sent) -> None:
        """Set how many trials the study is to have, as `marsearch create --trials` does."""
        study, text = self.board.study(study_id), sent.get("trials", "").strip()
        if re.fullmatch(r"[0-9]{1,7}", text) is None or not 1 <= int(text) <= MOST_TRIALS:
            raise UsageError(f"a number of trials from 1 to {MOST_TRIALS:,} was expected, got {text!r:.40}")
        create_study(self.board.view.store, replace(study.config, trials=int(text)))

    def note(self, study_id: int, sent: Sent) -> None:
        """Write the note on the study, the same that optuna-dashboard shows."""
        from optuna_dashboard import save_note

        study, text = self.board.study(study_id), sent.get("note", "").replace("\r\n", "\n").strip()
        if len(text) > LONGEST_NOTE:
            raise UsageError(f"a note has at most {LONGEST_NOTE:,} characters, got {len(text):,}: write a shorter one")
        store = self.board.view.store
        save_note(optuna.load_study(study_name=study.config.study, storage=store.trials), text)

    def try_recipe(self, study_id: int, sent: Sent) -> None:
        """Let the next free worker try the recipe that was filled in. Raises Refused for values outside their axes."""
        study = self.board.study(study_id)
        try:
            enqueue_recipe(self.board.view.store, study, read_recipe_form(study, sent), "this recipe")
        except SpaceError as error:
            raise UsageError(str(error)) from error


def note_of(board: Board, study: StudyDefinition) -> str:
    """What people have noted on the study."""
    from optuna_dashboard import get_note

    return str(get_note(optuna.load_study(study_name=study.config.study, storage=board.view)))


def refusal_of(act: Callable[[int, Sent], None], study_id: int, sent: Sent) -> str:
    """Do what a form asks for; why it is refused, "" when it is done. Raises Refused, which names fields."""
    try:
        act(study_id, sent)
    except (SearchError, StorageError) as error:
        _logger.info("a form of study %d was refused: %s", study_id, error)
        return str(error)
    return ""


def trial_of(trials: list[FrozenTrial], number: str) -> FrozenTrial | None:
    """The trial of that number; None where there is none, or it has no parameters yet."""
    if re.fullmatch(r"[0-9]{1,9}", number) is None or int(number) >= len(trials):
        return None
    return trials[int(number)] if trials[int(number)].params else None
