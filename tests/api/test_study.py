"""A study in Python: what it shows, what it takes, and what it says when something is wrong."""

from __future__ import annotations

import io
import threading
from pathlib import Path

import optuna
import pytest
from PIL import Image

from search import Study
from search.errors import UsageError
from spaces import SpaceError
from storage.errors import DatabaseError, DataError, StorageError, StudyError
from support.studies import TINY_SPACE


def test_the_same_study_is_found_again_and_another_one_refused(
    study: Study, home: Path, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = {"data": tiny_data, "space": TINY_SPACE, "epochs": 2, "warm_start": "none", "home": home}
    capsys.readouterr()
    with Study.create("tiny", trials=8, **same) as again:
        assert again.config.trials == study.config.trials == 8
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "study tiny is there already, with the same data and space\n")
    with pytest.raises(StudyError, match="--epochs 3 instead of 2"):
        Study.create("tiny", **same | {"epochs": 3})
    with Study.open("tiny", home=home) as found:
        assert found.status.state == "idle"


def test_what_cannot_be_made_leaves_nothing(home: Path, tiny_data: Path) -> None:
    with pytest.raises(UsageError, match=r"^trials=0"):
        Study.create("tiny", data=tiny_data, trials=0, home=home)
    with pytest.raises(UsageError, match="MARSEARCH_HOME is a URL"):
        Study.create("tiny", data=tiny_data, home="s3://bucket")
    with pytest.raises(DataError, match="nowhere"):
        Study.create("tiny", data="nowhere.npz", home=home / "one")
    with pytest.raises(DatabaseError, match="no study in"):
        Study.open("tiny", home=home / "two")
    assert not home.exists() or not any(path.name == "two" for path in home.iterdir())


def test_an_unknown_study_is_one_sentence(study: Study, home: Path) -> None:
    with pytest.raises(StudyError, match="nobody") as refused:
        Study.open("nobody", home=home)
    assert "\n" not in str(refused.value)


def test_the_environment_says_where_unless_a_place_is_given(
    study: Study, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARSEARCH_HOME", str(tmp_path / "elsewhere"))
    with Study.open("tiny", storage=f"sqlite:///{home}/marsearch.db") as found:
        assert found.config == study.config
    with pytest.raises(DatabaseError):
        Study.open("tiny")
    monkeypatch.setenv("MARSEARCH_HOME", str(home))
    with Study.open("tiny") as found:
        assert found.config == study.config


def test_it_shows_its_trials(tried: Study) -> None:
    status, best = tried.status, tried.best
    assert (status.state, status.finished, status.target) == ("finished", 6, 6)
    assert status.trials == {"complete": 4, "pruned": 1, "failed": 1, "running": 1, "waiting": 1}
    assert str(status).startswith("study tiny: ")
    assert (best.number, best.value, best.state) == (6, 0.6, "complete")
    assert best.recipe is not None
    assert best.recipe.model.family == "unet"
    assert str(best).startswith("trial 6, complete, 0.6000, unet")
    assert tried.trial(6) == best
    frame = tried.trials()
    assert list(frame["number"]) == list(range(len(frame)))
    assert frame["value"][6] == 0.6
    assert "params_model.norm" in frame.columns
    with pytest.raises(UsageError, match="there is no trial 99"):
        tried.trial(99)


def test_it_is_a_plain_study_of_optuna(tried: Study) -> None:
    plain = tried.optuna
    assert isinstance(plain, optuna.Study)
    assert (plain.study_name, plain.best_value, len(plain.trials)) == ("tiny", 0.6, len(tried.trials()))
    tried.close()
    assert plain.best_trial.number == 6  # whatever the object that gave it does meanwhile


def test_its_pictures_are_those_that_a_trial_carries(tried: Study, tmp_path: Path) -> None:
    picture = tried.panel()
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert picture.title == "study tiny, trial 6: images"
    picture.save(tmp_path / "panel.png")
    assert (tmp_path / "panel.png").read_bytes() == picture.png
    with Image.open(io.BytesIO(tried.history().png)) as drawn:
        assert drawn.size == (900, 400)
    with pytest.raises(UsageError, match="trial 6 is complete and has no pictures"):
        tried.confusion()
    with pytest.raises(UsageError, match="choose another place"):
        picture.save(tmp_path / "nowhere" / "panel.png")


def test_nothing_is_best_before_a_trial_is_complete(study: Study, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trial is complete yet"):
        _ = study.best
    with pytest.raises(UsageError, match="no trial is complete yet"):
        study.export(tmp_path / "best")
    assert not (tmp_path / "best").exists()


def test_it_is_steered(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    for give, state in ((study.pause, "paused"), (study.resume, "idle"), (study.stop, "stopped")):
        give()
        assert study.status.state == state
    said = capsys.readouterr().err.splitlines()
    assert said[0] == ("study tiny is paused: workers that come will wait; go on with: marsearch study resume tiny")
    assert len(said) == 3


def test_a_recipe_with_changes_is_tried_next(tried: Study, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tried.best.recipe
    assert recipe is not None
    with pytest.raises(UsageError, match=r"^the recipe: trial 6 has the same recipe"):
        tried.enqueue(recipe)
    section = recipe.optimisation.model_copy(update={"lr": 0.005})
    capsys.readouterr()
    tried.enqueue(recipe.model_copy(update={"optimisation": section}))
    assert capsys.readouterr().err.startswith("the recipe waits in study tiny: the study ")
    assert tried.status.trials["waiting"] == 2
    with pytest.raises(SpaceError, match="neither a recipe file nor a preset"):
        tried.enqueue("nothing.yaml")


def test_it_is_deleted_for_good(study: Study, home: Path) -> None:
    study.delete()
    with pytest.raises(StudyError, match="tiny"):
        _ = study.status
    with pytest.raises(StorageError):
        Study.open("tiny", home=home)


def test_any_thread_may_ask(tried: Study) -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(tried.best.number)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [6] * 4
