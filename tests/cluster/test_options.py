"""`marsearch work --on ray` without a cluster, and often without Ray: what is wrong is one sentence."""

from __future__ import annotations

import socket
import sys

import pytest

from search.cli import answer


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    def ask(*arguments):
        assert answer(["work", "mars", *arguments]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert list(tmp_path.iterdir()) == []  # nothing was opened
        return said

    return ask


def test_without_ray_the_sentence_says_what_to_install(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert "pip install 'marsearch[ray]'" in refused("--on", "ray")


def test_an_address_where_nobody_answers_is_one_sentence(refused, monkeypatch):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    assert f"RAY_ADDRESS=127.0.0.1:{port}: nobody answers there" in refused("--on", "ray")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--on", "ray", "--device", "cuda:0,2"), "Ray chooses the GPUs"),
        (("--on", "ray", "--device", "mps"), "auto, cpu or cuda was expected"),
        (("--on", "slurm"), "'slurm' is not one of 'local', 'ray'"),
        (("--per-gpu", "0"), "a number from 1 to 32 was expected, or auto"),
        (("--per-gpu", "0.5"), "a number from 1 to 32 was expected, or auto"),
        (("--on", "ray", "--per-gpu", "auto"), "a number was expected"),
        (("--workers", "2", "--per-gpu", "auto"), "finds out how many, leave one of them out"),
        (("--on", "ray", "--timeout", "soon"), "a time of at most 3650d was expected, such as 8h, 90m"),
    ],
)
def test_what_makes_no_sense_is_refused(refused, arguments, sentence):
    assert sentence in refused(*arguments)
