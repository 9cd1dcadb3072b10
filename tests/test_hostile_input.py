"""Three hundred generated bad inputs: refused in one line, without a traceback, and nothing is left behind.

The same ones at every run. An input that happens to be good may be taken.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from search.cli import answer
from storage.data.dataset import write_dataset
from storage.data.synthetic import synthesise
from support.examples import examples

ROOT = Path(__file__).parents[1]
TEXTS = [path.read_text("utf-8") for path in sorted((ROOT / "examples").glob("*.yaml"))]
RECIPES = [(ROOT / "spaces" / "presets" / f"{name}.yaml").read_text("utf-8") for name in ("baseline", "report-c-unet")]


def inputs(count):
    """So many of them, the same ones each time."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(
        max_examples=examples(count),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=checks,
        print_blob=True,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory, no_second_tries):
    """A folder to work in, with data, a database and a study."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("MARSEARCH_")]:
            patch.delenv(name)
        write_dataset(synthesise(train=16, test=2, seed=1, height=16, width=16), folder / "data.npz")
        with contextlib.redirect_stderr(io.StringIO()):
            assert answer(["create", "s", "--data", "data.npz", "--warm-start", "none"]) == 0
        yield folder


def ask(place, *arguments, **environment):
    """Run a command; whatever it was given, this is how it answers. Gives its status."""
    before = listing(place)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = answer([str(argument) for argument in arguments])
    said = err.getvalue()
    assert status in (0, 2), said
    assert "Traceback" not in said
    if status == 2:
        assert said.startswith("Usage:") or (said.startswith("marsearch: ") and said.count("\n") == 1), said
        assert out.getvalue() == ""
        assert len(said) < 3000
        assert said.rstrip("\n").isprintable() or said.startswith("Usage:"), said
        assert listing(place) == before
    assert not [name for name in listing(place) if name.endswith((".part", ".tmp"))]
    return status


def listing(place):
    """The files that are there, but those that SQLite keeps beside a database."""
    return sorted(str(path) for path in place.rglob("*") if not path.name.endswith(("-wal", "-shm", "-journal")))


# Words that a file may hold where another was expected.
words = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["1e999", "-0", "0x10", "1_0", "~", "*a", "&a", "!!python/name:os", "no", ".nan", "{", "- -", "9" * 5000]
    ),
    st.lists(st.integers(-3, 9), max_size=4),
    st.dictionaries(
        st.sampled_from(["low", "high", "log", "step", "use", "x"]), st.floats() | st.integers(), max_size=4
    ),
)
junk = st.text(st.characters(codec="utf-8"), max_size=6)


@st.composite
def spoiled(draw, texts):
    """A good text in which something is wrong."""
    lines = draw(st.sampled_from(texts)).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        number = draw(st.integers(0, len(lines) - 1))
        line, kind = lines[number], draw(st.sampled_from(["value", "key", "cut", "insert", "double", "drop", "indent"]))
        head, _, _ = line.partition(":")
        changed = {
            "value": lambda head=head: f"{head}: {draw(words)!r}",
            "key": lambda line=line: f"{draw(junk)}{line}",
            "cut": lambda line=line: line[: draw(st.integers(0, len(line)))],
            "insert": lambda line=line: line[:5] + draw(junk) + line[5:],
            "double": lambda line=line: f"{line}\n{line}",
            "drop": lambda: "",
            "indent": lambda line=line: f"   {line}",
        }[kind]()
        lines[number] = changed
    return "\n".join(lines)


@inputs(60)
@given(text=spoiled(TEXTS))
def test_spoiled_space_files(place, text):
    (place / "space.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    ask(place, "space", "show", "--space", "space.yaml", "--data", "data.npz", "--json")


@inputs(40)
@given(text=spoiled(RECIPES))
def test_spoiled_recipes(place, text):
    (place / "recipe.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    ask(place, "enqueue", "s", "recipe.yaml")


@inputs(30)
@given(content=st.binary(max_size=200) | junk.map(lambda text: f"model: {{depth: {text}}}".encode()))
def test_files_that_are_no_text(place, content):
    (place / "space.yaml").write_bytes(content)
    ask(place, "space", "show", "--space", "space.yaml", "--json")
    ask(place, "enqueue", "s", "space.yaml")


shapes = st.lists(st.one_of(st.integers(0, 9), st.sampled_from([-1, 2**31, 2**62, 2**64])), max_size=5).map(tuple)
types = st.sampled_from(
    ["|u1", "<f4", "<f8", "|O", "<U3", "<U0", "|S4", "|V0", "<M8[s]", ">i8", "|b1", "<c16", "x", ""]
)


@st.composite
def archives(draw):
    """A data set whose members' headers, bytes or names say something else."""
    image = np.zeros((4, 8, 8), np.uint8)
    good = {"images": image, "masks": image, "class_names": np.array(["a", "b"]), "group": np.arange(4)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))) as archive:
        for key, array in good.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array)
            content = member.getvalue()
            if draw(st.booleans()):
                header = (
                    f"{{'descr': {draw(types)!r}, 'fortran_order': {draw(st.booleans())}, 'shape': {draw(shapes)}}}"
                )
                length = draw(st.sampled_from([len(header), len(header), 0, 60_000]))
                content = b"\x93NUMPY\x01\x00" + struct.pack("<H", length) + header.encode() + content[128:]
            archive.writestr(f"{key}.npy", content)
    damaged = bytearray(file.getvalue())
    for _ in range(draw(st.integers(0, 3))):
        damaged[draw(st.integers(0, len(damaged) - 1))] = draw(st.integers(0, 255))
    return bytes(damaged[: draw(st.sampled_from([len(damaged), len(damaged), len(damaged) // 2, 3]))])


@inputs(70)
@given(content=archives())
def test_forged_data_sets(place, content):
    (place / "forged.npz").write_bytes(content)
    status = ask(place, "data", "inspect", "forged.npz", "--json")
    assert ask(place, "data", "clean", "forged.npz", "cleaned.npz", "--method", "mask") in (status, 2)
    (place / "cleaned.npz").unlink(missing_ok=True)


schemes = st.sampled_from(["sqlite", "postgresql", "postgresql+psycopg", "mysql", "", "sqlite+x", "postgres", "http"])
users = st.sampled_from(["", "u@", "u:geheim@", "u:ge@heim@", ":@", "u:geh/eim@", "@@"])
hosts = st.sampled_from(["127.0.0.1:1", "127.0.0.1:99999", "127.0.0.1:x", "[::1", "", "localhost:1"])
tails = st.sampled_from(
    ["/db", "", "/", "?", "/db?host=/nowhere", "/db?password=geheim", "/:memory:", "/db?x=y&x=z", "/\0"]
)


@inputs(30)
@given(url=st.builds("{}{}{}{}{}".format, schemes, st.sampled_from(["://", ":/", ":///"]), users, hosts, tails))
def test_databases_that_are_none(place, url):
    if not url.startswith("sqlite:///") and "\0" not in url:
        assert ask(place, "status", MARSEARCH_STORAGE=url) == 2
        assert "://" not in url or ask(place, "status", MARSEARCH_ARTIFACTS=f"http{url}") == 2


@inputs(30)
@given(name=st.text(max_size=30) | junk.map(lambda text: f"../{text}'; --") | st.just("x" * 10_000))
def test_names_of_studies_that_are_none(place, name):
    if name != "s":
        assert ask(place, "status", "--", name) == 2
        assert ask(place, "enqueue", "--", name, "baseline") == 2
        assert ask(place, "trials", "--format", "json", "--", name) == 2


COMMANDS = """create s, run s, work s, enqueue s, status s, trials s, export s, data inspect, data clean, data synth,
              space show, predict, train, doctor, study list, study pause, data, , nonsense"""
OPTIONS = """--trials --for --patience --epochs --seed --sampler --keep --holdout --workers --timeout --device --size
             --train --channels --format --trial --method --json --max-params --max-gpu-gb --pruner --space --data
             --x -"""
VALUES = ["-1", "0x", "1e400", "nan", "-inf", "9" * 5000, "", " ", "²", "1,5", "a\nb", "\x1b[2J", "cuda:-1", "x" * 300]
pairs = st.tuples(st.sampled_from(OPTIONS.split()), st.sampled_from(VALUES))


@inputs(60)
@given(
    command=st.sampled_from(COMMANDS.split(",")),
    more=st.lists(pairs, min_size=1, max_size=3),
    text=st.none() | junk,
)
def test_wrong_arguments(place, command, more, text):
    rest = [word for pair in more for word in pair] + ([] if text is None else [text.replace("\0", "")])
    assert ask(place, *command.split(), *rest) == 2


def test_data_that_no_machine_holds_are_not_made(place):
    assert ask(place, "data", "synth", "out.npz", "--train", "100000", "--size", "4096x4096") == 2
