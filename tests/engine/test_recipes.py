"""Every recipe of the package trains: two steps of it on a film of two actions."""

from __future__ import annotations

from pathlib import Path

import pytest

from muybridge.build import build_training
from muybridge.engine import fit
from muybridge.recipe import list_recipes, load_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_runs(name: str, film: Path, tmp_path: Path) -> None:
    small = ["clip.frames=4", "clip.size=32", "clip.short_side=36", "data.batch_size=4", "data.num_workers=0"]
    model = ["model.name=tiny3d", "model.options={width=4}"]
    plan = build_training(load_recipe(name, [*small, *model, "train.epochs=1"]), film)
    recipe = plan.recipe
    result = fit(
        plan.built.model, plan.task, plan.train_set, plan.val_set, recipe.train, recipe.data, out_dir=tmp_path
    )
    assert len(result.history) == 1
    assert 0 <= result.best_score <= 1
    assert result.history[0]["train_loss"] > 0
