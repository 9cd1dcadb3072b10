"""The duties of a host: to look, to show that it is there, to obey, to take back lost trials, to send what waits."""

from __future__ import annotations

from optuna.trial import TrialState

from search.host.checkpoints import sweep_local
from search.host.periodic import Duty
from search.host.progress import View
from search.host.state import HostState
from search.host.trial_loop import HostContext
from search.studies.queries import count
from storage.artifacts.artifact_store import sweep_artifacts
from storage.atomic_write import sweep
from storage.errors import StudyError
from storage.studies.attempts import drop_weights, kept_weights
from storage.studies.control import command
from storage.studies.hosts import beat
from storage.studies.reaper import reap

LOOK_S = 0.5  # between two refreshes of the display
OBEY_S = 2.0  # between two looks at what people have told the hosts of the study
NEAR_S = 5.0  # between two looks for trials whose host has died on this machine,
REAP_S = 30.0  # and for trials that are silent wherever they run
TIDY_S = 60.0  # between two looks for files that nobody needs any more
BEAT_S = 10.0  # between two notes of what this host is doing
SEND_S = 30.0  # between two tries to send what waits in the outbox


class Patrol:
    """What one host sees to beside its trainings.

    finished: trials that count towards the target, as last seen.
    """

    def __init__(self, crew: HostContext, view: View, workers: int) -> None:
        self.finished = 0
        self._crew = crew
        self._view = view
        self._workers = workers
        self._study = crew.study()

    def duties(self) -> tuple[Duty, ...]:
        """All of them, for `search.host.periodic.duties`."""
        crew, name = self._crew, self._crew.opened.config.study
        return (
            Duty(name="look", seconds=LOOK_S, act=self.look),
            Duty(name="obey", seconds=OBEY_S, act=self.obey),
            Duty(name="reap near", seconds=NEAR_S, act=lambda: reap(crew.store, name, local=True)),
            Duty(name="reap", seconds=REAP_S, act=lambda: reap(crew.store, name)),
            Duty(name="tidy", seconds=TIDY_S, act=self.tidy),
            Duty(name="beat", seconds=BEAT_S, act=lambda: beat(crew.store, crew.worker, _busy(crew.board))),
            Duty(name="send", seconds=SEND_S, act=self.send),
        )

    def look(self) -> None:
        """Show how the study is, and note which of our trials others have taken back."""
        trials = self._study.get_trials(deepcopy=False)
        self.finished = count(trials).finished
        board = self._crew.board
        board.lose(t.number for t in trials if t.number in board.killers and t.state is TrialState.FAIL)
        self._view.refresh(self._study, board, self._crew.target, self._workers)

    def obey(self) -> None:
        """Do what people have told the hosts of the study; one that was deleted is to be left at once."""
        board, name = self._crew.board, self._crew.opened.config.study
        try:
            said = command(self._crew.store, name)
        except StudyError:
            board.say(f"study {name} was deleted")
            board.stop.set()
            return
        if said == "pause" and board.command != "pause":
            board.say(f"study {name} is paused; go on with: marsearch study resume {name}")
        elif said == "stop" and board.command != "stop":
            board.say(f"study {name} is stopped; allow it again with: marsearch study resume {name}")
        elif said == "run" and board.command != "run":
            board.say(f"study {name} goes on")
        board.command = said

    def tidy(self) -> None:
        """Remove here what is left of trials that others have ended, and of processes that have died."""
        crew = self._crew
        sweep_local(crew.home, crew.stem, self._study.get_trials(deepcopy=False))
        sweep(crew.outbox.folder)
        sweep_artifacts(crew.store.artifacts)

    def send(self) -> None:
        """Send what waits in the outbox, and keep the weights of the best trials only, as ever."""
        crew = self._crew
        if not crew.outbox.deliver():
            return
        with crew.board.weights:
            for surplus in kept_weights(crew.store, crew.opened.config.study)[crew.opened.config.keep :]:
                drop_weights(crew.store, surplus.run)


def _busy(board: HostState) -> str:
    return ", ".join(f"{trial}: {epoch}/{epochs}" for trial, epoch, epochs, _ in sorted(board.running.values()))
