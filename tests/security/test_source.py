"""What our own source must never do: unpickle, run text as code, or hand text to a shell."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for package in ("spaces", "search", "storage") for path in (ROOT / package).rglob("*.py"))

PICKLES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "multiprocessing"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__", "execfile"}
NEVER = {
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.load_all",
    "yaml.unsafe_load_all",
    "pd.read_pickle",
    "torch.save",
    "torch.hub.load",
    "shutil.unpack_archive",
}
SAFE_LOADERS = {"_Loader", "SafeLoader", "yaml.SafeLoader", "CSafeLoader", "yaml.CSafeLoader"}


def sins(source: str) -> list[str]:
    """What is wrong with a module, with its lines."""
    found = []
    for node in ast.walk(ast.parse(source)):
        reason = _wrong(node)
        if reason:
            found.append(f"{node.lineno}: {reason}")
    return found


def _wrong(node: ast.AST) -> str:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        pickles = [name for name in names if name.split(".")[0] in PICKLES]
        return f"imports {pickles[0]}" if pickles else ""
    if isinstance(node, ast.Call):
        return _wrong_call(ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords})
    return ""


def _wrong_call(name: str, words: dict[str | None, str]) -> str:
    last = name.rpartition(".")[2]
    if name in RUNS_TEXT or name in NEVER:
        return f"calls {name}"
    if name == "torch.load" and words.get("weights_only") != "True":
        return "calls torch.load without weights_only=True"
    if name in ("np.load", "numpy.load") or last == "read_array":
        return "" if words.get("allow_pickle") == "False" else f"calls {name} without allow_pickle=False"
    if name == "yaml.load":
        return "" if words.get("Loader") in SAFE_LOADERS else "calls yaml.load without a safe loader"
    if words.get("allow_pickle", "False") != "False" or words.get("shell", "False") != "False":
        return f"calls {name} with a pickle or a shell"
    return f"calls {name}" if last in ("extractall", "extract") else ""


def test_the_three_packages_are_read() -> None:
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_unpickles_nothing_and_runs_no_text(path: Path) -> None:
    assert sins(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load(path)",
        "torch.load(path, weights_only=False)",
        "import numpy as np\nnp.load(path)",
        "np.load(path, allow_pickle=True)",
        "npy.read_array(file, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "yaml.load(text)",
        "yaml.unsafe_load(text)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "zipfile.ZipFile(path).extractall(folder)",
    ],
)
def test_the_scan_sees_each_of_them(source: str) -> None:
    assert sins(source)


def test_the_loader_of_yaml_is_a_safe_one() -> None:
    import yaml

    from spaces.yaml_text import _Loader

    assert issubclass(_Loader, yaml.SafeLoader)
