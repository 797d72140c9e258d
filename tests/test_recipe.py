"""Recipes: what can be set, and how a slip is answered."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from muybridge.recipe import Recipe, dump_recipe, list_recipes, load_recipe


def test_values_are_set_by_their_path() -> None:
    recipe = load_recipe(
        None, ["train.lr=0.2", "model.name=c3d", "clip.fps=30000/1001", "train.step_epochs=[20, 40]"]
    )
    assert recipe.train.lr == 0.2
    assert recipe.model.name == "c3d"
    assert recipe.clip.fps == Fraction(30000, 1001)
    assert recipe.train.step_epochs == (20, 40)


def test_a_precision_may_be_written_as_a_number() -> None:
    assert load_recipe(None, ["train.precision=32"]).train.precision == "32"


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[train]\nlr = 0.5\nepochs = 3\n")
    recipe = load_recipe(file, ["train.lr=0.25"])
    assert (recipe.train.lr, recipe.train.epochs) == (0.25, 3)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.lrr=1", "no train.lrr; did you mean train.lr?"),
        ("train.epochs=0", "train.epochs = 0"),
        ("train.schedule=triangle", "train.schedule = 'triangle'"),
        ("lr", "write path=value"),
        ("train.lr.x=1", "train.lr"),
        ("clip.test_crops=2", "clip.test_crops"),
    ],
)
def test_a_slip_is_named_with_its_full_path(override: str, words: str) -> None:
    with pytest.raises(ValueError, match="train|clip|lr") as error:
        load_recipe(None, [override])
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_recipe_names_the_near_one() -> None:
    with pytest.raises(ValueError, match="did you mean scratch"):
        load_recipe("scrach")


def test_broken_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[train\nlr=")
    with pytest.raises(ValueError, match="not valid TOML"):
        load_recipe(file)
    with pytest.raises(ValueError, match="cannot be read"):
        load_recipe(tmp_path / "absent.toml")


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_of_the_package_survives_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert Recipe.model_validate(dump_recipe(recipe)) == recipe
