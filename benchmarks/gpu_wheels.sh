#!/usr/bin/env bash
# Wheels of what marsearch needs, in the versions of .venv, for a GPU machine that reaches no package index.
#
#     benchmarks/gpu_wheels.sh [--python 3.12] [--out .wheels] [--held "torch numpy ..."]
#
# held: packages that the machine has, which are left out with what they alone need; the default is what images with
# PyTorch come with. There, in the repository, beside .wheels:
#
#     python3 -m pip install --no-index --no-deps --target site .wheels/*.whl
#     PYTHONPATH=site:. python3 benchmarks/gpu.py
#     PYTHONPATH=site:. python3 -m pytest -m gpu tests/test_gpu_benchmark.py tests/modules/test_augment.py
#
# The second needs pytest, pytest-timeout and hypothesis there; other test files need more.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=3.12 out=.wheels
held="torch numpy scipy pandas matplotlib pillow onnx onnxruntime onnxscript plotly"
while [ $# -gt 0 ]; do
    case $1 in
        --python) python=$2 ;;
        --out) out=$2 ;;
        --held) held=$2 ;;
        *) echo "gpu_wheels.sh: $1 is no option; see its first lines" >&2 && exit 2 ;;
    esac
    shift 2
done
[ -x .venv/bin/python ] || { echo "gpu_wheels.sh: there is no .venv, whose versions are taken: run make test or make demo once" >&2 && exit 2; }

wanted=$(.venv/bin/python - "$python" $held <<'PYTHON'
import sys
import tomllib
from importlib.metadata import distribution

from packaging.requirements import Requirement

version, *held = sys.argv[1:]
found: dict[str, str] = {}


def walk(needs: list[str]) -> None:
    """Add what these lines name, and what that needs in turn."""
    for need in map(Requirement, needs):
        name = need.name.lower().replace("_", "-")
        there = need.marker is None or need.marker.evaluate({"extra": "", "python_version": version})
        if there and name not in held and name not in found:
            known = distribution(name)
            found[name] = known.version
            walk(known.requires or [])


with open("pyproject.toml", "rb") as file:
    walk(tomllib.load(file)["project"]["dependencies"])
print(*(f"{name}=={found[name]}" for name in sorted(found)))
PYTHON
)
platforms=$(for minor in 39 35 34 31 28 27 24 17; do echo "--platform manylinux_2_${minor}_x86_64"; done)
mkdir -p "$out"
# shellcheck disable=SC2086 # lists of words
.venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --python-version "$python" --implementation cp $platforms --platform manylinux2014_x86_64 \
    --platform manylinux1_x86_64 --dest "$out" $wanted
size=$(du --summarize --block-size=1M "$out" | cut --fields 1)
echo "$(ls "$out" | wc -l) wheels in $out, $size MiB"
[ "$size" -le 60 ] || { echo "gpu_wheels.sh: more than 60 MiB: name in --held what the machine has" >&2 && exit 1; }
