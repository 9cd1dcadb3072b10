"""What a host does at intervals beside its trainings: progress, commands, heartbeat, lost trials, files that wait."""

from __future__ import annotations

import logging
from functools import partial

from optuna.trial import TrialState

from search.host.checkpoints import sweep_local
from search.host.context import HostContext
from search.host.periodic_task import PeriodicTask
from search.host.progress import Progress
from search.host.results import drop_surplus_weights
from search.host.work_done import work_done
from search.worker.load import MachineLoad
from storage.artifacts.artifact_store import sweep_artifacts
from storage.atomic_write import sweep
from storage.errors import StudyError
from storage.studies.control import command
from storage.studies.ends import ends
from storage.studies.hosts import HostSigns, TrainingProgress, heartbeat
from storage.studies.reaper import reap
from storage.studies.sightings import Sightings
from storage.studies.studies import study_id, target_of
from storage.studies.worked_time import WorkedTime
from storage.trials.trial_storage import sample_at_most

_logger = logging.getLogger(__name__)


class Maintenance:
    """The periodic tasks of one host. done: how the study stood when it was last seen."""

    def __init__(self, context: HostContext, progress: Progress) -> None:
        self.done = work_done((), context.target, context.state.ends)
        self._context = context
        self._progress = progress
        self._study = context.study()
        self._load = MachineLoad([worker.slot for worker in context.workers])
        self._worked = WorkedTime(context.store, context.options.study)

    def tasks(self) -> tuple[PeriodicTask, ...]:
        """All of them, each with its name for messages and the seconds between two runs."""
        context, timing, name = self._context, self._context.timing, self._context.options.study
        dead_here = partial(reap, context.store, name, local=True, myself=context.host)
        silent = partial(reap, context.store, name, myself=context.host, seen_before=Sightings())
        return (
            PeriodicTask("the display of progress", 0.5, self.look),
            PeriodicTask("the look for commands", 2.0, self.obey),
            PeriodicTask("the look for trials of hosts that died here", 5.0, dead_here),
            PeriodicTask("the look for trials of silent hosts", timing.reap, silent),
            PeriodicTask("the removal of files nobody needs", 60.0, self.tidy),
            PeriodicTask("the look at the machine's load", timing.heartbeat, self._load.measure),
            PeriodicTask("the heartbeat", timing.heartbeat, self.heartbeat),
            PeriodicTask("the count of the study's time", timing.heartbeat, self.count_time),
            PeriodicTask("the sending of files that wait", 30.0, self.send),
        )

    def look(self) -> None:
        """Show how the study is, and note which of our trials other hosts have reclaimed."""
        trials = self._study.get_trials(deepcopy=False)
        context, state = self._context, self._context.state
        ended, self.done = self.done.end, work_done(trials, context.target, state.ends, exhausted=context.exhausted)
        if (end := self.done.end) != ended:
            words = f"ends: {end.reason}" if end is not None else "goes on"
            _logger.info("study %s %s", context.options.study, words)
        state.lose(t.number for t in trials if t.number in state.trainings and t.state is TrialState.FAIL)
        self._progress.refresh(trials, context)

    def heartbeat(self) -> None:
        """Note in the database that this host is alive, what it trains, and which of its trials make progress."""
        context = self._context
        trainings = sorted(context.state.trainings.values(), key=lambda training: training.trial)
        progress = [TrainingProgress(trial=t.trial, epoch=t.epoch, epochs=t.epochs) for t in trainings]
        signs = HostSigns(devices=self._load.devices, log=context.state.recent.lines)
        limit_s = context.timing.heartbeat
        heartbeat(context.store, context.host, progress, context.state.vouched(), signs=signs, limit_s=limit_s)

    def count_time(self) -> None:
        """Add the time that has passed to what was worked on the study, unless nothing goes on."""
        if not self._context.state.held:
            self._worked.count()

    def obey(self) -> None:
        """Do what people have told the hosts of the study, and read what it may end by; leave one that was deleted."""
        state, name = self._context.state, self._context.options.study
        try:
            told, state.ends = command(self._context.store, name), ends(self._context.store, name)
            self._follow_target()
        except StudyError:
            _logger.warning("study %s was deleted", name)
            state.shutdown.begin()
            return
        if told != state.command:
            words = {"pause": "is paused; go on with", "stop": "is stopped; allow it again with"}
            ended = f"{words[told]}: marsearch study resume {name}" if told in words else "goes on"
            _logger.info("study %s %s", name, ended)
        state.command = told

    def _follow_target(self) -> None:
        """Go by the number of trials that the study has now, unless this host was told one of its own."""
        context, name = self._context, self._context.options.study
        if context.options.trials is None and (wanted := target_of(context.store, name)) != context.wanted:
            context.aim(wanted)
            sample_at_most(context.store.trials, study_id(context.store, name), context.target)
            _logger.info("study %s is to have %d trials", name, context.target)

    def tidy(self) -> None:
        """Remove here what is left of trials that others have ended, and of processes that have died."""
        context = self._context
        sweep_local(context.options.home, context.stem, self._study.get_trials(deepcopy=False))
        sweep(context.outbox.folder)
        sweep_artifacts(context.store.artifacts)

    def send(self) -> None:
        """Send what waits in the outbox, and keep the weights of the best trials only, as ever."""
        if self._context.outbox.deliver():
            drop_surplus_weights(self._context)
