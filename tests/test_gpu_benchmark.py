"""The one command for a GPU: its checks find faults, its parts run on any machine, and a cut costs one line.

`pytest -m gpu` runs the checks where there is a GPU.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest
import torch

from search.training.fit import fit

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
PARTS = ("networks", "losses", "mIoU", "waits", "resume", "memory")


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("gpu_checks")


@pytest.fixture
def run(checks: ModuleType, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The command, in this process; its parts are processes of their own. It returns what was printed."""
    monkeypatch.setenv("PYTHONPATH", str(BENCHMARKS.parent))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    gpu = importlib.import_module("gpu")

    def called(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["gpu.py", *map(str, arguments)])
        gpu.main()
        return "".join(capfd.readouterr())

    return called


Run = Callable[..., str]


@pytest.mark.gpu
@pytest.mark.parametrize("part", PARTS)
def test_a_training_on_the_gpu_is_that_on_the_cpu(checks: ModuleType, part: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    assert set(checks.CHECKS) == set(PARTS)
    lines = list(checks.CHECKS[part]("cuda"))
    assert lines
    assert not [line for line in lines if not line.passed]


def test_the_checks_run_on_any_machine_and_hold_there(
    run: Run, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "lines.jsonl"
    said = run("--device", "cpu", "--quick", "--parts", "checks", "estimate", "--out", out)
    table = said[said.index("checks hold") - 10 :]
    for held in (
        "networks, unet, float32",
        "losses, lovasz",
        "mIoU, pixels counted",
        "resume",
        "estimate, all recipes",
    ):
        assert held in table
    assert "FAILED" not in said
    with pytest.raises(SystemExit, match="2"):
        run("--device", "cpu", "--out", out)
    assert "is there already" in capfd.readouterr().err


@pytest.mark.whole
@pytest.mark.timeout(1200)
def test_all_parts_run_on_any_machine(run: Run, tmp_path: Path) -> None:
    said = run("--device", "cpu", "--quick", "--out", tmp_path / "lines.jsonl", "--limit", 4000)
    assert "FAILED" not in said
    for head in ("| recipe, images/s |", "| trainings at a time |"):
        assert head in said
    assert "killed and resumed" in said


def test_without_a_gpu_the_command_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="2"):
        run("--out", tmp_path / "lines.jsonl")
    assert "torch sees no GPU here" in capfd.readouterr().err


def test_a_part_that_takes_too_long_costs_itself_alone(run: Run, tmp_path: Path) -> None:
    """The part `estimate` needs more than a second to start."""
    out = tmp_path / "lines.jsonl"
    said = run("--device", "cpu", "--quick", "--parts", "estimate", "--limit", 0.5, "--out", out)
    assert "FAILED estimate, the part itself: cut off after" in said
    assert "0 of 1 checks hold" in said


def test_lines_of_a_file_that_was_cut_are_reported(run: Run, tmp_path: Path) -> None:
    lines = importlib.import_module("gpu_lines")
    out = tmp_path / "lines.jsonl"
    numbers = {"plain": 10.0, "plain, 16 bits": 20.0, "ours": 100.0, "share": 0.25}
    taken = {"said": 900.0, "counted": 250.0, "blocks": 200.0, "context": 500.0}
    found = [
        lines.Line(part="where", name="the machine", text="a GPU of some kind"),
        lines.Line(part="speed", name="the device at most", text="50 TFLOP/s"),
        lines.Line(part="speed", name="U-Net 16", numbers=numbers),
        lines.Line(part="estimate", name="recipe 0, unet", numbers=taken),
        lines.Line(part="estimate", name="recipe 1, unet", numbers=taken | {"blocks": 500.0}),
        lines.Line(part="estimate", name="recipe 2, wnet", text="left out: no memory"),
        lines.Line(part="losses", name="dice", passed=False, text="0.2 apart"),
        lines.Line(part="losses", name="focal", passed=True, text="0.0 apart"),
    ]
    lines.write_lines(out, found)
    with out.open("a") as file:
        file.write('{"part": "losses", "na')
    said = run("--report", out)
    assert "\na GPU of some kind\n\n1 of 3 checks hold" in said
    assert "FAILED losses, dice: 0.2 apart" in said
    assert "FAILED estimate, all recipes: 1 of 2 took no more than was said" in said
    assert "recipe 2, wnet: left out: no memory" in said
    assert "the device at most: 50 TFLOP/s" in said
    assert "| U-Net 16 | 10 | 20 | 100 | 10.0x | 5.0x | 25% |" in said


def test_the_plain_loops_round_as_torch_does_by_itself(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the service's would be compared with a loop that is slower on a GPU than the one people write."""
    training_step = importlib.import_module("training_step")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    plain, seen = training_step.plain_epochs, []

    def epochs(*given: object, **named: object) -> Iterator[float]:
        for seconds in plain(*given, **named):
            seen.append(torch.backends.cudnn.allow_tf32)
            yield seconds

    def fitted(*given: object, **named: object) -> Iterator[object]:
        for epoch in fit(*given, **named):
            assert not torch.backends.cudnn.allow_tf32
            yield epoch

    monkeypatch.setattr(training_step, "plain_epochs", epochs)
    monkeypatch.setattr(training_step, "fit", fitted)
    training_step.measured(training_step.recipe_of("U-Net 16", 4, 4), training_step.random_data(4, 16, 16), 1)
    assert seen == [True] * 4


@pytest.mark.whole
def test_16_bits_come_as_close_to_float32_as_is_asked(checks: ModuleType) -> None:
    """In each family, by bfloat16 as a CPU computes it, whatever it has of its own."""
    with mock.patch.object(checks.devices, "autocast_dtype", return_value=torch.bfloat16):
        lines = list(checks.networks("cpu"))
    assert len(lines) == 2 * len(checks.FAMILIES)
    assert not [line for line in lines if not line.passed]
    assert [line for line in lines if line.name.endswith("bfloat16")] == lines[1::2]
    assert not [line for line in lines[1::2] if line.text.startswith("loss 0.0e+00")]


def test_a_device_that_counts_wrong_is_found(checks: ModuleType) -> None:
    right = checks.confusion_matrix
    answers = iter([0, 1])  # pixels too many: on the CPU, and then on the device

    def wrong(*given: object) -> torch.Tensor:
        return right(*given) + next(answers)

    with mock.patch.object(checks, "confusion_matrix", wrong):
        [line] = checks.confusion("cpu")
    assert line.passed is False


def test_a_device_that_trains_otherwise_is_found(checks: ModuleType) -> None:
    """It has twice the learning rate."""
    right = checks._epochs
    rates = iter([1e-3, 2e-3, 2e-3])

    def other(recipe: object, device: str) -> object:
        return right(checks.small_recipe("unet", lr=next(rates)), device)

    with mock.patch.object(checks, "_epochs", other):
        lines = list(checks.networks("cpu", ["unet"]))
    assert lines[0].passed is False


def test_a_loss_whose_gradient_is_wrong_is_found(checks: ModuleType) -> None:
    right = checks._passes

    def wrong(section: object, logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        value, slope = right(section, logits, labels)
        return value, slope if slope.dtype == torch.float64 else slope * 1.01

    with mock.patch.object(checks, "_passes", wrong):
        assert not any(line.passed for line in checks.losses("cpu"))


def test_the_script_for_wheels_knows_its_options() -> None:
    """What it fetches is seen by hand."""
    script = BENCHMARKS / "gpu_wheels.sh"
    ended = subprocess.run([script, "--nonsense", "x"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "--nonsense is no option" in ended.stderr
