"""Training where a video may show several things at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from muybridge.build import build_training
from muybridge.data.clips import ClipDataset
from muybridge.data.samples import Sample, Samples
from muybridge.engine import fit
from muybridge.metrics.multi_label import MultiLabelEvaluation
from muybridge.model_file import load_model, save_model
from muybridge.predict import load
from muybridge.recipe import load_recipe
from muybridge.tasks.recognition import evaluate
from muybridge.video.writer import VideoWriter

SMALL = [
    "model.name=tiny3d", "model.options={width=4, dropout=0.0}", "clip.frames=2", "clip.stride=1", "clip.size=16",
    "clip.short_side=16", "clip.test_clips=1", "clip.test_crops=1", "data.num_workers=0", "data.batch_size=4",
    "augment.flip=0", "train.lr=0.05", "train.warmup_epochs=0", "train.epochs=12",
]  # fmt: skip


@pytest.fixture(scope="module")
def lights(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """Films that show red light, green light, both or neither."""
    folder = tmp_path_factory.mktemp("lights")
    samples = []
    generator = torch.Generator().manual_seed(0)
    for number in range(16):
        red, green = number % 2, number // 2 % 2
        noise = torch.randint(0, 60, (3, 16, 16), generator=generator)
        frame = noise + torch.tensor([190 * red, 190 * green, 0])[:, None, None]
        path = folder / f"{number}.mp4"
        with VideoWriter(path, fps=10, threads=1) as writer:
            for _ in range(3):
                writer.write(frame.to(torch.uint8))
        labels = ("red",) * red + ("green",) * green
        samples.append(Sample(path, labels, str(number)))
    return Samples(
        train=tuple(samples[:8]), val=tuple(samples[8:12]), test=tuple(samples[12:]), labels=("red", "green"),
        multi_label=True, layout="lights",
    )  # fmt: skip


def test_several_labels_are_learnt_measured_and_remembered(lights: Samples, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    plan = build_training(load_recipe(None, SMALL), lights)
    result = fit(
        plan.built.model,
        plan.task,
        plan.train_set,
        plan.val_set,
        plan.recipe.train,
        plan.recipe.data,
        out_dir=tmp_path / "run",
        devices=1,
        progress=False,
    )
    rows = result.history
    assert {"train_loss", "val_loss", "val_map"} <= rows[0].keys()
    assert not {"train_top1", "val_top1"} & rows[0].keys()
    best = max(rows, key=lambda row: (row["val_map"], -row["val_loss"]))
    assert (result.best_epoch, result.best_score) == (best["epoch"], best["val_map"])
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert result.best_score == 1.0
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "val_map" in header.split(",")

    test_set = ClipDataset(lights.test, lights.labels, plan.built.clip, train=False, multi_label=True)
    measured = evaluate(plan.built.model, test_set)
    assert isinstance(measured, MultiLabelEvaluation)
    assert measured.mean_average_precision == 1.0

    path = save_model(
        tmp_path / "model.safetensors", plan.built.model, name="tiny3d", options=plan.built.options,
        labels=lights.labels, clip=plan.built.clip, facts={}, multi_label=True,
    )  # fmt: skip
    assert load_model(path).multi_label
    both, neither = lights.test[3], lights.test[0]
    assert (both.labels, neither.labels) == (("red", "green"), ())
    model = load(path, device="cpu")
    # What excludes each other could never be sure of two things, or of none.
    lit, dark = model.recognize(both.path).scores, model.recognize(neither.path).scores
    assert sum(lit) > 1.1
    assert sum(dark) < 0.9


def test_a_file_that_says_nothing_excludes(lights: Samples, tmp_path: Path) -> None:
    plan = build_training(load_recipe(None, SMALL), lights)
    path = save_model(
        tmp_path / "model.safetensors", plan.built.model, name="tiny3d", options=plan.built.options,
        labels=lights.labels, clip=plan.built.clip, facts={},
    )  # fmt: skip
    assert not load_model(path).multi_label
    assert sum(load(path, device="cpu").recognize(lights.test[0].path).scores) == pytest.approx(1.0)
