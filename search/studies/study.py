"""A study as hosts and reports see it: its configuration, with what the texts in it stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optuna.trial import FrozenTrial

from search.studies.pruners import rungs
from search.studies.samplers import trial_seed
from search.worker.job_files import panel_samples
from spaces import DataFacts, Recipe, Space, SpaceError, load_space
from storage.artifacts.artifact_store import load_file
from storage.data.dataset import Dataset, read_dataset
from storage.data.split import Split, load_split
from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.datasets import data_artifact
from storage.studies.studies import load_config
from storage.trials.retries import first_attempt


@dataclass(frozen=True)
class Study:
    """The configuration of a study; what its texts stand for is read once, when it is first asked for."""

    config: StudyConfig

    @cached_property
    def facts(self) -> DataFacts:
        """What the recipe needs to know of the data."""
        return DataFacts.model_validate_json(self.config.facts)

    @cached_property
    def split(self) -> Split:
        """Which samples are for training, for validation and held out."""
        return load_split(self.config.split)

    @property
    def space(self) -> Space:
        """The space as the study was created with it; axes that came later are at their defaults and not sampled.

        Raises StudyError when today's axes cannot express it: then its trials can be listed, but no more be tried.
        """
        if isinstance(self._space, SpaceError):
            raise StudyError(f"study {self.config.study} can be looked at, but not continued: {self._space}")
        return self._space

    @cached_property
    def rungs(self) -> frozenset[int]:
        """The epochs at which the pruner hears of a training."""
        return rungs(self.config)

    @cached_property
    def _space(self) -> Space | SpaceError:
        try:
            return load_space(self.facts, self.config.domains)
        except SpaceError as error:
            return error

    def recipe(self, trial: FrozenTrial) -> Recipe:
        """The recipe of a trial that has been sampled: its parameters, and the seed that its first attempt gives.

        Raises SpaceError when not all parameters are there yet, StudyError as `space`.
        """
        return self.space.recipe(trial.params, seed=trial_seed(self.config.seed, first_attempt(trial)))


@dataclass(frozen=True, kw_only=True)
class OpenStudy:
    """A study with its data on this machine.

    data: local file of the data set. panel: the samples shown for each trial.
    """

    study: Study
    dataset: Dataset
    data: Path
    panel: tuple[int, ...]

    @property
    def config(self) -> StudyConfig:
        """The study's configuration."""
        return self.study.config

    @property
    def space(self) -> Space:
        """The study's space."""
        return self.study.space

    @cached_property
    def train(self) -> tuple[int, ...]:
        """The samples to train on."""
        return tuple(self.study.split.train.tolist())

    @cached_property
    def validation(self) -> tuple[int, ...]:
        """The samples to validate on."""
        return tuple(self.study.split.validation.tolist())


def open_study(store: Store, name: str, home: Path) -> OpenStudy:
    """Open a study, fetching its data set into home's cache.

    Raises StudyError for an unknown study and as `Study.space`, DataError, ArtifactError.
    """
    study = Study(load_config(store, name))
    _ = study.space  # while nothing has begun yet
    data = home / "cache" / f"dataset-{study.config.data_digest}.npz"
    if not data.exists():
        data.parent.mkdir(parents=True, exist_ok=True)
        load_file(store.artifacts, data_artifact(store, study.config.data_digest), data)
    dataset = read_dataset(data)
    panel = panel_samples(dataset, study.split.validation.tolist())
    return OpenStudy(study=study, dataset=dataset, data=data.resolve(), panel=panel)
