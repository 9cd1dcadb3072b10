"""What our own source must never do: unpickle, run text as code, hand text to a shell, unpack an archive whole.

Ruff holds most of it (rules S and TID251 in pyproject.toml), which is seen to flag each kind here; what it has no rule
for is looked for.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for package in ("spaces", "search", "storage") for path in (ROOT / package).rglob("*.py"))

FLAGGED_BY_RUFF = [
    "import pickle",
    "from pickle import loads",
    "import multiprocessing.pool",
    "import joblib",
    "import pandas as pd\npd.read_pickle(path)",
    "import torch\ntorch.load(path)",
    "import torch\ntorch.load(path, weights_only=False)",
    "import torch\ntorch.save(net, path)",
    "import torch\ntorch.hub.load(name)",
    "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.unsafe_load(text)",
    "import yaml\nyaml.full_load(text)",
    "import yaml\nyaml.load_all(text)",
    "eval(text)",
    "exec(text)",
    "import subprocess\nsubprocess.run(text, shell=True)",
    "import os\nos.system(text)",
    "import os\nos.popen(text)",
    "import tempfile\ntempfile.mktemp()",
    "import shutil\nshutil.unpack_archive(path)",
]
FLAGGED_HERE = [
    "np.load(path)",
    "np.load(path, allow_pickle=True)",
    "npy.read_array(file, allow_pickle=True)",
    "read_array(file)",
    "zipfile.ZipFile(path).extractall(folder)",
    "archive.extract(member)",
]


def flagged(source: str) -> list[str]:
    """The calls that ruff has no rule for, with their lines."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [f"{call.lineno}: {ast.unparse(call)}" for call in calls if _wrong(call)]


def _wrong(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    pickles = {word.arg: ast.unparse(word.value) for word in call.keywords}.get("allow_pickle")
    if name == "np.load" or name.rpartition(".")[2] == "read_array":
        return pickles != "False"
    return pickles not in (None, "False") or name.rpartition(".")[2] in ("extract", "extractall")


@pytest.mark.parametrize("source", FLAGGED_BY_RUFF)
def test_ruff_flags_it(source: str) -> None:
    words = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--quiet",
        "--select",
        "S,TID251",
        "--stdin-filename",
        "spaces/made_up.py",
        "-",
    ]
    checked = subprocess.run(words, input=source, text=True, capture_output=True, check=False, cwd=ROOT)
    assert (checked.returncode, bool(checked.stdout)) == (1, True), checked.stderr


def test_no_module_calls_what_ruff_has_no_rule_for() -> None:
    assert len(FILES) > 100
    assert {str(path): found for path in FILES if (found := flagged(path.read_text("utf-8")))} == {}


@pytest.mark.parametrize("source", FLAGGED_HERE)
def test_the_scan_sees_each_of_them(source: str) -> None:
    assert flagged(source)


def test_the_loader_of_yaml_is_a_safe_one() -> None:
    import yaml

    from spaces.yaml_text import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
