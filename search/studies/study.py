"""A study as hosts and reports see it: its configuration, with what the texts in it stand for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial

from search.training.epoch import EpochRecord
from search.training.metrics import Constant, beside
from search.worker.job_files import panel_samples, samples_of
from search.worker.protocol import Samples
from spaces import DataFacts, Recipe, Space, SpaceError, load_space
from spaces.crops import trains_whole
from storage.data.dataset import Dataset, read_dataset
from storage.data.quality.report import DataReport
from storage.data.split import Split, load_split
from storage.errors import StudyError
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.datasets import fetch_dataset
from storage.studies.studies import load_config
from storage.trials.queries import params_of
from storage.trials.retries import earlier_attempts, first_attempt


@dataclass(frozen=True)
class StudyDefinition:
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

    @cached_property
    def report(self) -> DataReport:
        """What was found in the data when the study was created."""
        return DataReport.model_validate_json(self.config.report)

    @property
    def constant(self) -> Constant:
        """What the best constant answer reaches on the validation part; NaN where the study does not say."""
        miou, strict = self.config.constant_miou, self.config.constant_miou_strict
        return Constant(miou=math.nan if miou is None else miou, miou_strict=math.nan if strict is None else strict)

    def value(self, epoch: EpochRecord) -> float:
        """The study's objective after the epoch, NaN where it is undefined."""
        return epoch.miou_strict if self.config.objective == "miou_strict" else epoch.miou

    @property
    def best_constant(self) -> float | None:
        """What the best constant answer reaches in the objective; None where the study does not say."""
        config = self.config
        return config.constant_miou_strict if config.objective == "miou_strict" else config.constant_miou

    @property
    def constant_note(self) -> str:
        """The same in words that stand behind a score; "" where the study does not say."""
        return beside(self.best_constant)

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one number of the images on a device, at least."""
        return 1

    @property
    def space(self) -> Space:
        """The space as the study was created with it; axes that came later are at their defaults and not sampled.

        Raises StudyError when today's axes cannot express it: then its trials can be listed, but no more be tried.
        """
        if isinstance(self._space, SpaceError):
            raise StudyError(f"study {self.config.study} can be looked at, but not continued: {self._space}")
        return self._space

    def target(self, wanted: int, trials: Iterable[FrozenTrial] = ()) -> int:
        """So many finished trials, or fewer where the space has no recipes for more.

        trials: those that there are. One that was enqueued with a value for an axis that is not searched is no point of
        the space, and counts beside these.
        """
        if isinstance(self._space, SpaceError) or (size := self._space.size(wanted)) is None:
            return wanted
        searched = self._space.searched.keys()
        tried = [params_of(trial) for trial in trials if not earlier_attempts(trial)]
        return min(wanted, size + sum(not params.keys() <= searched for params in tried))

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
class OpenStudy(StudyDefinition):
    """A study with its data on this machine.

    data: local file of the data set. panel: the samples shown for each trial.
    """

    dataset: Dataset
    data: Path
    panel: tuple[int, ...]

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one number of the images on a device: uint8 stays, everything else is float32 there."""
        return 1 if self.dataset.images.dtype.itemsize == 1 else 4

    @property
    def large_pixels(self) -> int:
        """Pixels of the training part, which an epoch of crops covers about once; 0 where images are seen whole."""
        if trains_whole(self.facts):
            return 0
        sizes = (self.dataset.size(int(sample)) for sample in self.split.train)
        return sum(height * width for height, width in sizes)

    @property
    def validation(self) -> tuple[int, ...]:
        """The samples to validate on."""
        return self.samples.validation

    @cached_property
    def samples(self) -> Samples:
        """What every training of the study learns from and is judged on."""
        return samples_of(self.split, self.data, self.panel)


def open_study(store: Store, name: str, home: Path) -> OpenStudy:
    """Open a study, fetching its data set into home's cache.

    Raises StudyError for an unknown study and as `StudyDefinition.space`, DataError, ArtifactError.
    """
    study = StudyDefinition(load_config(store, name))
    _ = study.space  # while nothing has begun yet
    data = fetch_dataset(store, study.config.data_digest, home / "cache")
    dataset = read_dataset(data)
    panel = panel_samples(dataset, study.split.validation.tolist())
    return OpenStudy(config=study.config, dataset=dataset, data=data, panel=panel)


def trial_seed(study_seed: int, number: int) -> int:
    """The seed of a trial's recipe and sampler, in [0, 2**63)."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1, np.uint64)[0]) >> 1
