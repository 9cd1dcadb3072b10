"""What a host does at intervals beside its trainings: progress, commands, heartbeat, lost trials, files that wait."""

from __future__ import annotations

import logging

from optuna.trial import TrialState

from search.host.checkpoints import sweep_local
from search.host.context import HostContext
from search.host.periodic_task import PeriodicTask
from search.host.progress import Progress
from search.host.results import drop_surplus_weights
from search.studies.queries import count
from storage.artifacts.artifact_store import sweep_artifacts
from storage.atomic_write import sweep
from storage.errors import StudyError
from storage.studies.control import command
from storage.studies.hosts import TrainingProgress, heartbeat
from storage.studies.reaper import reap
from storage.studies.sightings import Sightings

_logger = logging.getLogger(__name__)


class Maintenance:
    """The periodic tasks of one host. finished: trials that count towards the target, as last seen."""

    def __init__(self, context: HostContext, progress: Progress, workers: int) -> None:
        self.finished = 0
        self._context = context
        self._progress = progress
        self._workers = workers
        self._study = context.study()

    def tasks(self) -> tuple[PeriodicTask, ...]:
        """All of them; the names are for messages."""
        context, every, name = self._context, self._context.settings.timing.intervals, self._context.opened.config.study
        myself, seen = context.settings.host, Sightings()
        return (
            PeriodicTask(name="the display of progress", seconds=every.display, act=self.look),
            PeriodicTask(name="the look for commands", seconds=every.commands, act=self.obey),
            PeriodicTask(
                name="the look for trials of hosts that died here",
                seconds=every.reap_here,
                act=lambda: reap(context.store, name, local=True, myself=myself),
            ),
            PeriodicTask(
                name="the look for trials of silent hosts",
                seconds=every.reap,
                act=lambda: reap(context.store, name, myself=myself, seen_before=seen),
            ),
            PeriodicTask(name="the removal of files nobody needs", seconds=every.tidy, act=self.tidy),
            PeriodicTask(name="the heartbeat", seconds=every.heartbeat, act=self.heartbeat),
            PeriodicTask(name="the sending of files that wait", seconds=every.uploads, act=self.send),
        )

    def look(self) -> None:
        """Show how the study is, and note which of our trials other hosts have reclaimed."""
        trials = self._study.get_trials(deepcopy=False)
        self.finished = count(trials).finished
        state = self._context.state
        state.lose(t.number for t in trials if t.number in state.trainings and t.state is TrialState.FAIL)
        self._progress.refresh(trials, state, self._context.settings.target, self._workers)

    def heartbeat(self) -> None:
        """Note in the database that this host is alive, what it trains, and which of its trials make progress."""
        context = self._context
        trainings = sorted(context.state.trainings.values(), key=lambda training: training.trial)
        progress = [TrainingProgress(trial=t.trial, epoch=t.epoch, epochs=t.epochs) for t in trainings]
        limit_s = context.settings.timing.intervals.heartbeat
        heartbeat(context.store, context.settings.host, progress, context.state.vouched(), limit_s=limit_s)

    def obey(self) -> None:
        """Do what people have told the hosts of the study; one that was deleted is to be left at once."""
        state, name = self._context.state, self._context.opened.config.study
        try:
            told = command(self._context.store, name)
        except StudyError:
            _logger.warning("study %s was deleted", name)
            state.shutdown.begin()
            return
        if told != state.command:
            words = {
                "pause": f"study {name} is paused; go on with: marsearch study resume {name}",
                "stop": f"study {name} is stopped; allow it again with: marsearch study resume {name}",
                "run": f"study {name} goes on",
            }
            _logger.info(words[told])
        state.command = told

    def tidy(self) -> None:
        """Remove here what is left of trials that others have ended, and of processes that have died."""
        context = self._context
        sweep_local(context.settings.home, context.settings.stem, self._study.get_trials(deepcopy=False))
        sweep(context.outbox.folder)
        sweep_artifacts(context.store.artifacts)

    def send(self) -> None:
        """Send what waits in the outbox, and keep the weights of the best trials only, as ever."""
        if self._context.outbox.deliver():
            drop_surplus_weights(self._context)
