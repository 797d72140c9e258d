"""Every recipe of the package trains: two steps of its own network on films of two actions, seen very small."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from muybridge.build import build_training
from muybridge.engine import fit
from muybridge.recipe import list_recipes, load_recipe

# Some networks must be told the size that they will see, or need more than 4 frames.
OWN = {
    "c3d": ["clip.frames=16", "model.options={size=32, width=0.25}"],
    "mvit_v1_b": ["model.options={frames=4, size=32}"],
    "slowfast_r50_8x8": ["clip.frames=8"],
}
SMALL = [
    "clip.frames=4", "clip.stride=1", "clip.size=32", "clip.short_side=36", "clip.test_clips=1", "clip.test_crops=1",
    "data.batch_size=4", "data.num_workers=0", "data.clips_per_video=1", "data.repeated_augmentation=false",
    "train.epochs=1", "train.precision=32",
]  # fmt: skip


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_runs_two_steps(name: str, film: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = load_recipe(name)
    small = [*SMALL, *OWN.get(whole.model.name, [])]
    small += ["train.steps=2"] if whole.train.steps else []
    small += ["train.precise_bn=1"] if whole.train.precise_bn else []
    plan = build_training(load_recipe(name, small), film)
    recipe = plan.recipe
    result = fit(
        plan.built.model, plan.task, plan.train_set, plan.val_set, recipe.train, recipe.data, out_dir=tmp_path,
        progress=False,
    )  # fmt: skip
    assert len(plan.train_set) == 8  # two steps of four
    assert len(result.history) == 1
    assert math.isfinite(result.history[0]["train_loss"])
    assert 0 <= result.best_score <= 1


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_is_complete_and_names_its_source(name: str) -> None:
    import muybridge

    text = (Path(muybridge.__file__).parent / "recipes" / f"{name}.toml").read_text()
    recipe = load_recipe(name)
    assert text.startswith("#")
    ours = {"demo", "figures", "finetune", "scratch"}
    assert name in ours or "https://arxiv.org/abs/" in text.split("\n\n")[0]
    assert max(map(len, text.splitlines())) <= 120
    for group in ("augment", "data", "train"):
        assert f"[{group}]" in text
    for value in ("lr", "schedule", "weight_decay"):
        assert value in recipe.train.model_fields_set
    assert {"epochs", "steps"} & recipe.train.model_fields_set
