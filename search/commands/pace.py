"""How long an epoch and a whole study will take on this machine, measured on a few steps before its first trial."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from search.errors import TrainingFailed, UsageError
from search.studies.limits import countable, random_recipes
from search.studies.study import StudyDefinition
from search.worker.devices import cores, device_slots
from search.worker.job_files import samples_of
from search.worker.process import WorkerDied, WorkerProcess
from search.worker.protocol import EpochEnd, Failed, Samples, Train
from spaces import Recipe, dump_recipe
from spaces.crops import crop_side, trains_whole
from storage.data.split import Split
from storage.errors import ArtifactError
from storage.store import Store
from storage.studies.config import StudyConfig
from storage.studies.datasets import fetch_dataset
from storage.temporary_folder import temporary_folder

LARGE = 2**24  # pixels of the training part from which on it is measured: below, whatever is searched takes minutes
RECIPES = 8  # random ones of the space, of which the middle one is measured
STEPS = 2  # at least, in the part of an epoch that is measured
LONGEST_S = 60.0  # for the part of an epoch; what takes longer is told as a least time
OUT_OF_REACH_S = 24 * 3600.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What was measured. epoch_s: seconds of an epoch of a usual recipe. least: it may be more. workers: at a time."""

    epoch_s: float
    least: bool
    workers: int

    def study_s(self, trials: int, epochs: int) -> float:
        """Seconds of so many trials that are not pruned."""
        return self.epoch_s * epochs * -(-trials // self.workers)

    def sentence(self, trials: int, epochs: int) -> str:
        """For a person, with what helps where the study would take more than about a day."""
        study_s, about = self.study_s(trials, epochs), "more than" if self.least else "about"
        each = f"{self.workers} at a time on {cores()} cores" if self.workers > 1 else f"on {cores()} cores"
        told = (
            f"an epoch takes {about} {spelled(self.epoch_s)} on this machine, the study {about} {spelled(study_s)}"
            f" ({trials} trials of {epochs} epochs, {each}; less where trials are pruned)"
        )
        if study_s <= OUT_OF_REACH_S:
            return told
        return f"{told}: --space cpu, a smaller data.crop in a space file, or fewer --epochs bring it into reach"


def pace_note(
    store: Store, config: StudyConfig, home: Path, *, device: str = "auto", workers: int | None = None
) -> str:
    """A sentence on the time of an epoch and of the study; "" for a small data set, or where nothing can be trained.

    home: in whose cache the data are left for the study's own workers. Takes up to about a minute and a half. Nothing
    fails because of it.
    """
    study = StudyDefinition(config)
    if not countable() or trains_whole(study.facts) or trained_pixels(study) < LARGE:
        return ""
    try:
        with temporary_folder() as folder:
            file = fetch_dataset(store, config.data_digest, home / "cache")
            pace = measure_pace(study, file, folder, device=device, workers=workers)
    except (TrainingFailed, ArtifactError, UsageError, OSError) as error:
        return f"the time of an epoch could not be measured: {' '.join(str(error).split())}"
    return pace.sentence(study.config.trials, study.config.epochs)


def trained_pixels(study: StudyDefinition) -> int:
    """Labelled pixels of the training part."""
    return sum(study.report.parts["train"].pixels.values())


def measure_pace(study: StudyDefinition, file: Path, folder: Path, *, device: str, workers: int | None) -> Pace:
    """Train a usual recipe of the space on a part of the data, in a worker as the study's.

    file: of the data. folder: for what the training leaves. Raises TrainingFailed.
    """
    slots = device_slots(device, workers, folder, trials=study.config.trials)
    recipe = usual_recipe(study)
    samples = _part(recipe, study, file)
    share = len(study.split.train) / len(samples.train)
    with WorkerProcess(slots[0]) as worker:
        seconds, least = _epoch(worker, recipe, samples, folder)
    return Pace(epoch_s=seconds * share, least=least, workers=len(slots))


def usual_recipe(study: StudyDefinition) -> Recipe:
    """Of some random recipes of the space the one whose pixels cost the middle amount."""
    from search.training.footprint import meta_network, step_bytes

    def cost(recipe: Recipe) -> float:
        side = crop_side(recipe, study.facts)
        needed = step_bytes(recipe, study.facts, meta_network(recipe, study.facts))
        return needed / (recipe.optimisation.batch_size * side**2)

    return sorted(random_recipes(study, RECIPES), key=cost)[RECIPES // 2]


def _part(recipe: Recipe, study: StudyDefinition, file: Path) -> Samples:
    """Images enough for some steps, and as large a share of those to be judged on."""
    train, validation = study.split.train, study.split.validation
    crops = trained_pixels(study) / len(train) / crop_side(recipe, study.facts) ** 2
    count = min(len(train), max(1, round(STEPS * recipe.optimisation.batch_size / max(1.0, crops))))
    judged = max(1, round(count * len(validation) / len(train)))
    rows = {"train": train[:: len(train) // count][:count], "validation": validation[:judged]}
    split = Split(**rows, contaminated=train[:0], holdout=train[:0], method=study.split.method, seed=study.split.seed)
    return samples_of(split, file, ())


def _epoch(worker: WorkerProcess, recipe: Recipe, samples: Samples, folder: Path) -> tuple[float, bool]:
    """Seconds of an epoch of the part, the second one where there is time, and whether it may be more."""
    optimisation = recipe.optimisation.model_copy(update={"epochs": 2, "patience": 2})
    job = Train(
        job=worker.next_job(),
        recipe=dump_recipe(recipe.model_copy(update={"optimisation": optimisation})),
        samples=samples,
        out=str(folder),
        device=worker.slot.device,
        share=worker.slot.share,
        objective="miou",
    )
    seconds: list[float] = []
    began = time.monotonic()
    try:
        for message in worker.train(job, silence=LONGEST_S):
            if isinstance(message, Failed):
                raise TrainingFailed(message.reason)
            if isinstance(message, EpochEnd):
                seconds.append(message.record.seconds)
                if seconds[0] > LONGEST_S / 2:
                    worker.stop(job.job)
    except WorkerDied:
        if time.monotonic() - began < LONGEST_S:
            raise
    return (seconds[-1], False) if seconds else (LONGEST_S, True)


def spelled(seconds: float) -> str:
    """A time in words."""
    for size, name in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.2g} s"
