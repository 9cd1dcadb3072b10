"""What the project promises as a whole: light imports, a quick command line, exact pins."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from search.cli import answer
from support.leaks import held, leaks

ROOT = Path(__file__).parents[1]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("package", ["spaces", "storage", "search"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    heavy = ("torch", "pandas", "matplotlib", "sklearn", "scipy", "boto3", "onnxruntime")
    loaded = run_python(f"import sys, {package}; print(*[name for name in {heavy!r} if name in sys.modules])")
    assert loaded.split() == []


@pytest.mark.parametrize("package", ["spaces", "storage"])
def test_no_module_of_spaces_or_storage_loads_torch(package: str) -> None:
    code = f"""
import importlib, pkgutil, sys, {package}
for module in pkgutil.walk_packages({package}.__path__, "{package}."):
    if not module.name.startswith(("spaces.modules", "storage.database.migrations")):
        importlib.import_module(module.name)
print("torch" in sys.modules)
"""
    assert run_python(code).strip() == "False"


def test_a_host_and_a_report_on_studies_load_no_torch() -> None:
    """Only its workers need it: a host starts 1.3 s sooner and takes 180 MB less without."""
    code = "import sys, search.host.host, search.studies.reports; print('torch' in sys.modules)"
    assert run_python(code).strip() == "False"


def test_the_command_line_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert answer(["--version"]) == 0
    assert capsys.readouterr().out == f"marsearch {declared}\n"


@pytest.mark.parametrize(("begun", "expected"), [("marsearch stu", "study"), ("marsearch work m --per", "--per-gpu")])
def test_a_shell_completes_commands_and_options(begun: str, expected: str) -> None:
    asked = {"_MARSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": begun, "COMP_CWORD": str(len(begun.split()) - 1)}
    code = [sys.executable, "-m", "search.cli"]
    done = subprocess.run(code, cwd=ROOT, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert expected in done.stdout.split()


def test_help_loads_none_of_the_large_libraries() -> None:
    code = """
import sys
from search.cli import answer
answer(["--help"])
print([name for name in ("torch", "sqlalchemy", "matplotlib", "pandas") if name in sys.modules])
"""
    assert run_python(code).splitlines()[-1] == "[]"


def test_constraints_pin_every_dependency_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [Requirement(text) for text in project["dependencies"]]
    wanted += [Requirement(text) for texts in project["optional-dependencies"].values() for text in texts]
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
    for requirement in wanted:
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} has no pin"
        assert requirement.specifier.contains(pin), f"{requirement} does not admit its pin {pin}"
    assert not any("+" in pin for pin in pins.values()), "a local version (+cpu) fits one build only"


def test_what_a_test_leaves_behind_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.leaks.GOES_S", 0.0)
    before, over = held(tmp_path), threading.Event()
    thread = threading.Thread(target=over.wait, name="forgotten")
    thread.start()
    with (tmp_path / "open").open("w"), subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        found = leaks(before, tmp_path)
        assert [name.partition(" (")[0] for name in found] == [
            "thread forgotten", f"process {child.pid}", f"file {tmp_path / 'open'}"]  # fmt: skip
    over.set()
    thread.join()
    assert leaks(before, tmp_path) == []
