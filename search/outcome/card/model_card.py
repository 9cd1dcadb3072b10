"""The bundle's ``README.md``: what the network is, how good it is, how to use it.

It begins with the metadata that the Hugging Face Hub reads from a model's card, see `card_metadata`.
"""

from __future__ import annotations

import math
from pathlib import Path

from search.outcome.card.metadata import write_metadata
from search.outcome.card.onnx_use import write_onnx_use
from search.outcome.contents import BundleContents
from search.outcome.leaderboard import summarise
from search.outcome.manifest import PICTURES, RECIPE
from search.outcome.onnx_file import OnnxFile
from search.outcome.pictures.confusion import SHARES
from search.outcome.record import background_threshold, class_offsets
from search.training.metrics import mean_dice, mean_dice_strict
from spaces.crops import crop_side
from spaces.yaml_text import dump_recipe


def write_card(contents: BundleContents, parameters: int, onnx: OnnxFile) -> str:
    """The model card in Markdown.

    parameters: the number of trainable numbers in the network. onnx: what was written beside it.
    """
    return write_metadata(contents) + "\n\n".join(
        part
        for part in (
            _what(contents, parameters),
            _pictures(contents),
            _scores(contents),
            _holdout(contents),
            _data(contents),
            _use(contents),
            write_onnx_use(contents, onnx),
            _recipe(contents),
        )
        if part
    )


def _what(contents: BundleContents, parameters: int) -> str:
    source = "one training outside a study"
    if contents.study is not None:
        source = f"trial {contents.trial} of the study {_cell(contents.study)}"
    return (
        f"# Segmentation network: {summarise(contents.recipe)}\n\n"
        f"A network that gives each pixel one of {contents.facts.classes} classes, from {source}: "
        f"{parameters:,} trainable parameters, weights of epoch {contents.epoch}."
        f"{_merged(contents)}{_shifted(contents)}\n"
        "Written by marsearch; `manifest.json` holds the sha256 of every file."
    )


def _merged(contents: BundleContents) -> str:
    threshold = background_threshold(contents)
    if threshold is None:
        return ""
    name = _cell(contents.facts.excluded[0])
    return (
        f"\nA second network inside finds {name}: a pixel is {name} where its probability exceeds {threshold:.2f},"
        " otherwise the best of the other classes. That threshold has the best strict score on the validation images."
    )


def _shifted(contents: BundleContents) -> str:
    return "".join(
        f"\n{abs(offset):.1f} is {'added to' if offset > 0 else 'taken from'} the logits of {_cell(name)}, the number"
        " with the best score on the validation images."
        for name, offset in class_offsets(contents).items()
    )


def _pictures(contents: BundleContents) -> str:
    names = sorted(path.name for path in contents.pictures if path.suffix == ".png" and " " not in path.name)
    return f"![{Path(names[0]).stem}]({PICTURES}/{names[0]})" if names else ""


def _scores(contents: BundleContents) -> str:
    accuracy = f"Pixel accuracy {_score(contents.scores.accuracy)}."
    return (
        f"## Scores\n\nOn {len(contents.validation_images):,} validation images{_chosen(contents)};"
        " measured again from this bundle when it was written.\n\n"
        f"{_table(contents)}\n\n{accuracy} {_read(contents)}A dash means undefined."
    )


def _read(contents: BundleContents) -> str:
    """What the strict numbers are; "" where there are none."""
    if not contents.facts.excluded:
        return ""
    return (
        "IoU and Dice drop the pixels whose truth is a class left out of the mean; the strict ones count all pixels. "
    )


def _table(contents: BundleContents) -> str:
    """A row for each class, the means, the best constant answer; where no class is excluded nothing is strict."""
    scores, constant, facts = contents.scores, contents.validation.constant, contents.facts
    means = scores.miou, scores.miou_strict, mean_dice(scores, facts), mean_dice_strict(scores, facts)
    head = ("class", "IoU", "IoU strict", "Dice", "Dice strict", "pixels in the truth")
    rows: list[tuple[str, ...]] = [head, ("---",) * len(head)]
    for label, name in enumerate(facts.class_names):
        shares = (_score(getattr(scores, share)[label]) for share in SHARES)
        aside = " (left out of the mean)" if name in facts.excluded else ""
        rows.append((f"{_cell(name)}{aside}", *shares, f"{sum(scores.confusion[label]):,}"))
    rows.append(("**mean**", *(f"**{_score(mean)}**" for mean in means), ""))
    rows.append(("best constant answer", _score(constant.miou), _score(constant.miou_strict), "", "", ""))
    shown = (0, 1, 2, 3, 4, 5) if facts.excluded else (0, 1, 3, 5)
    return "\n".join(f"| {' | '.join(row[column] for column in shown)} |" for row in rows)


def _chosen(contents: BundleContents) -> str:
    """What the validation images chose, so that scores on them are no estimate for other images."""
    by_score = "epoch" if contents.recipe.optimisation.kept == "best" else "trial" if contents.study is not None else ""
    return f", which also chose the {by_score} (so a little optimistic)" if by_score else ""


def _holdout(contents: BundleContents) -> str:
    """The scores on what nothing was chosen by, and how far they can be trusted."""
    found = contents.holdout
    if found is None:
        return ""
    times = (
        "once" if contents.looks == 1 else f"{contents.looks} times, so that they have become a little optimistic, too"
    )
    strict = f", strict **{_score(found.scores.miou_strict)}**" if contents.facts.excluded else ""
    return (
        f"## Holdout\n\nOn {found.images:,} images that no trial saw: mean IoU **{_score(found.scores.miou)}**{strict};"
        f" {found.constant}.\n"
        f"The study was scored on them {times}."
    )


def _data(contents: BundleContents) -> str:
    facts = contents.facts
    labels = ", ".join(f"{label} {_cell(name)}" for label, name in enumerate(facts.class_names))
    colour = "grey" if facts.channels == 1 else "colour"
    ignored = "" if contents.ignore_label is None else f" Label {contents.ignore_label} was ignored."
    return (
        f"## Data\n\nImages of {'up to ' if facts.mixed else ''}{facts.height}x{facts.width} pixels, {colour}"
        f" ({facts.channels} channel"
        f"{'' if facts.channels == 1 else 's'}), in the scale of the data: nothing needs to be normalised beforehand.\n"
        f"{_crops(contents)}"
        f"Their numbers: {contents.pixels}, mean {contents.pixels.mean:.4g}, deviation {contents.pixels.std:.4g}."
        f" Mirrored in the training: {' and '.join(contents.recipe.augment.mirrors) or 'never'}.\n"
        f"Labels: {labels}.{ignored}\nData digest: `{contents.data_digest}`.{_origin(contents)}{_report(contents)}"
    )


def _origin(contents: BundleContents) -> str:
    """Where the data come from and under which licence, as far as they say it."""
    report = contents.report
    said = {} if report is None else {"Source of the data": report.source, "Licence of the data": report.licence}
    return "".join(f"\n{what}: {_cell(text)}." for what, text in said.items() if text)


def _crops(contents: BundleContents) -> str:
    side = crop_side(contents.recipe, contents.facts)
    if not side:
        return ""
    return (
        f"Trained on random crops of {side}x{side} pixels. Whole images are labelled in windows of that size, which"
        " overlap by half and weigh by a Gaussian.\n"
    )


def _report(contents: BundleContents) -> str:
    """What there is to say of the data, and how many images of each part show a class."""
    if contents.report is None:
        return ""
    notes = "".join(f"\n- {_cell(note)}" for note in contents.report.notes)
    rows = [
        f"| {name} | {part.samples} | {' | '.join(map(str, part.images.values()))} |"
        for name, part in contents.report.parts.items()
    ]
    names = " | ".join(map(_cell, contents.facts.class_names))
    head = f"| part | images | {names} |\n|---|---|{'---|' * contents.facts.classes}"
    table = "\n".join([head, *rows])
    return f"{chr(10) * bool(notes)}{notes}\n\n{table}\n\nUnder each class: images that show it."


def _use(contents: BundleContents) -> str:
    facts = contents.seen
    shape = f"1, {facts.channels}, {facts.height}, {facts.width}"
    return f"""## Use

With marsearch (run in this folder, or give its path):

```python
import torch
from search import load_bundle

network = load_bundle(".")  # a torch.nn.Module in eval mode
images = torch.zeros({shape})  # batch, channels, height, width
with torch.inference_mode():
    labels = network(images).argmax(dim=1)
```

On an image, a folder of images or a file of them: `marsearch predict . IN OUT`"""


def _recipe(contents: BundleContents) -> str:
    again = f"`{RECIPE}`; `marsearch train {RECIPE} --data FILE --out DIR` trains it again."
    return f"## Recipe\n\n{again}\n\n```yaml\n{dump_recipe(contents.recipe)}```\n"


def _score(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "-"


def _cell(text: str) -> str:
    """Text that stays in its table cell and is not read as Markdown or HTML."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\|*_`[]<>#" else letter for letter in flat)
