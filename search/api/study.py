"""A study in one's hands: made, worked on, looked at, steered and exported from."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

import optuna

from search.api.control import give
from search.api.creation import make, plan_before_database
from search.api.leaderboard import Leaderboard
from search.api.options import StudyOptions, config_of, seconds_of, shows_options
from search.api.picture import Picture, drawn, picture_of
from search.api.place import WORKER_S, Place, settings_of
from search.api.status import Status, held_up
from search.api.trial import Trial, trial_of
from search.api.work import check_workers, serve_and_go_on
from search.host.context import WorkOptions
from search.log import tell
from search.outcome.pictures.figures import CONFUSION, CURVES, PANEL
from search.outcome.pictures.history import draw_history
from search.studies import recipes, reports
from search.studies.checkpoints import remove_study
from search.studies.choice import chosen
from search.studies.study import StudyDefinition
from spaces import Recipe
from storage.database.engine import redact
from storage.studies.config import StudyConfig
from storage.studies.studies import load_config

if TYPE_CHECKING:
    import pandas as pd


class Study(AbstractContextManager["Study"]):
    """A search for the best network on one data set; `Study.create` makes one, `Study.open` finds it again.

    It is in the database and stays there: this object, another one of the same name, the commands of `marsearch` and
    the dashboard all see the same study. Whatever goes wrong is an exception whose message is one sentence: SearchError
    (`search.errors`), StorageError (`storage.errors`) or SpaceError (`spaces`).
    """

    def __init__(self, name: str, place: Place) -> None:
        self.name = name
        self._place = place
        weakref.finalize(self, place.close)

    @classmethod
    @shows_options
    def create(
        cls,
        name: str,
        *,
        data: str | Path,
        storage: str | None = None,
        home: str | Path | None = None,
        **options: Unpack[StudyOptions],
    ) -> Study:
        """Create a study; the same call again finds it, and changes what may be changed later.

        data: the data set, as `marsearch create --data` takes it. storage: SQLAlchemy URL of the database; home: folder
        for logs, for files that wait, and for what nothing else is said of. By default both are as the environment says
        (`MARSEARCH_STORAGE`, `MARSEARCH_HOME`), else in the folder `runs`. options: of the study, see below.
        What follows from them and from the data is said in a few sentences.
        Raises UsageError, DataError, SpaceError, or StudyError where such a study differs, before anything is made.
        """
        config, space = config_of(name, options), options.get("space")
        study, space_name = cls(name, Place(settings_of(storage, home), "make")), str(space or "space")
        settings = study._place.settings
        planned = plan_before_database(settings.storage, config, Path(data), space_name)
        with study._place.opened() as store:
            make(store, config, Path(data), space_name, settings.home, planned=planned)
        return study

    @classmethod
    def open(cls, name: str, *, storage: str | None = None, home: str | Path | None = None) -> Study:
        """The study of this name. storage, home: as in `create`.

        Raises StudyError where there is none, DatabaseError where there is no database.
        """
        study = cls(name, Place(settings_of(storage, home)))
        with study._place.opened() as store:
            load_config(store, name)
        return study

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Study {self.name} in {redact(self._place.settings.storage)}>"

    def close(self) -> None:
        """Give the connections to the database back; whatever is asked next opens new ones."""
        self._place.close()

    def work(
        self,
        workers: int | None = None,
        *,
        trials: int | None = None,
        timeout: float | str | None = None,
        device: str = "auto",
        per_gpu: int | Literal["auto"] | None = None,
    ) -> None:
        """Train trials until the study is finished; progress is shown meanwhile, and in the end how it stands.

        workers: trainings at a time, each in a process of its own; by default one per GPU or core. trials: finished
        trials to stop at; by default the study's. timeout: seconds, or a text such as 2h. device: auto, cpu, mps, cuda
        or cuda:0,2. per_gpu: trainings that share a GPU. Others may work on it at the same time, here or elsewhere.
        An interrupt (Ctrl-C, the stop button) lets trials under way go back to the queue and is a KeyboardInterrupt
        then; the next call goes on. No interrupt reaches another thread than the main one: end it by `stop` or timeout.
        Raises TrainingFailed where the study is finished and no trial is complete.
        """
        check_workers(workers, per_gpu)
        settings = self._place.settings
        order = WorkOptions(
            study=self.name,
            home=settings.home,
            workers=workers,
            trials=trials,
            timeout=seconds_of("timeout", timeout),
            device=device,
            per_gpu=per_gpu,
        )
        place = Place(settings, patience_s=WORKER_S)  # one of its own: a host that leaves takes its patience with it
        try:
            with place.opened() as store:
                serve_and_go_on(store, order)
        finally:
            place.close()

    @property
    def config(self) -> StudyConfig:
        """What the study was created with. Raises StudyError where there is none of this name."""
        with self._place.opened() as store:
            return load_config(store, self.name)

    @property
    def status(self) -> Status:
        """How the study stands now: state, trials, the best one, and what each worker trains."""
        with self._place.opened() as store:
            return Status(reports.study_report(store, self.name))

    @property
    def best(self) -> Trial:
        """The best complete trial. Raises UsageError while there is none."""
        return self._trial(None)

    def trial(self, number: int) -> Trial:
        """The trial of this number, from 0. Raises UsageError where there is none."""
        return self._trial(number)

    def trials(self) -> pd.DataFrame:
        """A row for each trial in order of number: state, value, scores, reason, `params_...` for what was tried."""
        import pandas as pd

        return pd.json_normalize(self.trial_reports(), sep="_")

    def trial_reports(self) -> list[dict[str, Any]]:
        """The same as plain values, ready for JSON."""
        with self._place.opened() as store:
            return reports.trial_reports(store, self.name)

    @property
    def optuna(self) -> optuna.Study:
        """The plain Optuna study, for `optuna.visualization`, `optuna.importance` and whatever else there is."""
        with self._place.opened() as store:
            load_config(store, self.name)
            return optuna.load_study(study_name=self.name, storage=store.trials)

    def leaderboard(self) -> Leaderboard:
        """The trials, best first; a notebook shows a table."""
        with self._place.opened() as store:
            rows, constant = reports.leaderboard(store, self.name), reports.constant(store, self.name)
        return Leaderboard(study=self.name, rows=rows, constant=constant)

    def history(self) -> Picture:
        """The score of each trial in order, and the best one until then."""
        with self._place.opened() as store:
            definition, rows = StudyDefinition(load_config(store, self.name)), reports.leaderboard(store, self.name)
        title = f"study {self.name}"
        draw = partial(draw_history, rows=rows, title=title, constant=definition.best_constant)
        return drawn(f"{title}: history", draw)

    def panel(self, trial: int | None = None) -> Picture:
        """Validation images, truth, prediction and errors of a trial, the best one by default.

        Raises UsageError for one without pictures: complete trials have them.
        """
        return self._picture(PANEL, "images", trial)

    def curves(self, trial: int | None = None) -> Picture:
        """Losses and scores of a trial over its epochs, of the best one by default. Raises as `panel`."""
        return self._picture(CURVES, "curves", trial)

    def confusion(self, trial: int | None = None) -> Picture:
        """Which class is taken for which by a trial, the best one by default. Raises as `panel`."""
        return self._picture(CONFUSION, "confusion", trial)

    def enqueue(self, recipe: str | Path | Recipe) -> None:
        """Let the next free worker try a recipe: the name of a preset, a file (.yaml), or a recipe itself.

        Raises SpaceError for one that the study's space does not have, UsageError for one that a trial
        has already, or that is over the study's limits.
        """
        with self._place.opened() as store:
            wanted = recipe if isinstance(recipe, Recipe) else str(recipe)
            recipes.enqueue(store, self.name, wanted)
            named = "the recipe" if isinstance(wanted, Recipe) else wanted
            said = f"{named} waits in study {self.name}{held_up(store, self.name)}"
            tell(said, "recipe enqueued", study=self.name, recipe=named)

    def pause(self) -> None:
        """Let the workers of the study wait, from the end of their epochs on."""
        with self._place.opened() as store:
            give(store, self.name, "pause")

    def resume(self) -> None:
        """Let a paused or stopped study go on."""
        with self._place.opened() as store:
            give(store, self.name, "run")

    def stop(self) -> None:
        """Let the workers of the study leave, from the end of their epochs on."""
        with self._place.opened() as store:
            give(store, self.name, "stop")

    def delete(self, *, force: bool = False) -> None:
        """Remove the study for good, with its trials, curves, weights and pictures.

        force: even while workers are at work on it, which is a StudyError otherwise.
        """
        with self._place.opened() as store:
            deleted = remove_study(store, self._place.settings.home, self.name, force=force)
        said = f"study {self.name} is deleted: {deleted.trials} trials, {deleted.files} files"
        tell(said, "study deleted", study=self.name)

    def export(self, out: str | Path, *, trial: int | None = None) -> Trial:
        """Write the bundle of the best trial, or of the one of that number, and return the trial.

        out: the folder; a bundle that is there gives way. Where the study has a holdout, the trial is scored on it.
        Raises UsageError where the trial's weights are not kept, BundleError where the bundle cannot be written.
        """
        from search.commands.bundle import export_trial

        say, home = partial(tell, event="export", study=self.name), self._place.settings.home
        with self._place.opened() as store:
            number = export_trial(store, self.name, Path(out), trial=trial, home=home, say=say)
        say(f"bundle of trial {number}: {out}")
        return self.trial(number)

    def _trial(self, number: int | None) -> Trial:
        with self._place.opened() as store:
            definition = StudyDefinition(load_config(store, self.name))
            return trial_of(definition, chosen(store, self.name, number))

    def _picture(self, name: str, what: str, number: int | None) -> Picture:
        with self._place.opened() as store:
            load_config(store, self.name)
            trial = chosen(store, self.name, number)
            return picture_of(store, trial, name, f"study {self.name}, trial {trial.number}: {what}")
