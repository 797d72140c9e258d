"""One run of the tables, in a process of its own: a row trained with one seed, and measured.

    python making/one_run.py ROW SEED         # as tables.py calls it, when films, flow and trajectories are there

It leaves `build/tables/runs/ROW-SEED.json`, and the weights where another row begins with them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

from rows import BATCH, EPOCHS, PAIRED, SIDE, SOURCE, TRAJECTORIES, Row, rows

WORK = Path(__file__).resolve().parents[1] / "build" / "tables"

SCALES = {
    "rgb": ("clip.mean=[0.45, 0.45, 0.45]", "clip.std=[0.225, 0.225, 0.225]"),
    "flow": ("clip.modality=flow", "clip.mean=[0.5, 0.5]", "clip.std=[0.5, 0.5]"),
    "rgb+flow": (
        "clip.modality=rgb+flow",
        "clip.mean=[0.45, 0.45, 0.45, 0.5, 0.5]",
        "clip.std=[0.225, 0.225, 0.225, 0.5, 0.5]",
    ),
}


def run(row: Row, seed: int, out: Path) -> dict[str, Any]:
    """Train a row with one seed and measure it on films of other people."""
    import shutil

    import torch

    from muybridge.build import build_training
    from muybridge.data.clips import ClipDataset
    from muybridge.data.layouts import read_samples
    from muybridge.engine import fit
    from muybridge.model_file import save_model
    from muybridge.models.cost import count_gflops, count_parameters
    from muybridge.recipe import load_recipe
    from muybridge.tasks.recognition import evaluate

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    started = time.monotonic()
    if row.streams:
        return together(row, seed, started)
    if row.key == TRAJECTORIES:
        return without_network(seed)
    start = WORK / "runs" / f"{row.start}-{seed}.safetensors" if row.start else None
    recipe = load_recipe(
        "scratch",
        [
            f"model.name={row.model}" if start is None else "model.name=tiny3d",
            f"clip.frames={row.frames}",
            f"clip.stride={row.stride}",
            f'clip.fps="{row.fps}"',
            f"clip.size={SIDE}",
            f"clip.short_side={SIDE}",
            "clip.sampling=dense",
            *SCALES[row.modality],
            f"data.flow={WORK / 'flow'}",
            "clip.test_clips=1",
            "clip.test_crops=1",
            "augment.scale=[1.0, 1.0]",
            "augment.shift=0.3",
            *(f"augment.{change}=0" for change in ("brightness", "contrast", "saturation")),
            'augment.flip_never=["walk_left", "walk_right"]',
            f"data.batch_size={BATCH}",
            "data.num_workers=0",
            "train.precision=bf16-mixed",
            f"train.epochs={EPOCHS}",
            "train.optimizer=adamw",
            "train.weight_decay=0.02",
            "train.label_smoothing=0",
            f"train.lr={row.lr}",
            f"train.seed={seed}",
            f"train.freeze_backbone={str(row.freeze).lower()}",
        ],
    )
    if start is None:
        model = recipe.model.model_copy(update={"options": row.options | {"dropout": 0.2}})
        recipe = recipe.model_copy(update={"model": model})
    data = WORK / "films" / ("source" if row.actions == SOURCE else "target")
    samples = read_samples(data)
    # Nothing is held out of the films to learn from: no epoch is chosen, the last one counts.
    other = row.model if start and row.modality != "rgb" else None
    plan = build_training(recipe, replace(samples, val=samples.test), start=start, start_model=other)
    shutil.rmtree(out, ignore_errors=True)
    fit(
        plan.built.model,
        plan.task,
        plan.train_set,
        None,
        recipe.train,
        recipe.data,
        out_dir=out,
        progress=False,
    )
    test_set = ClipDataset(
        plan.samples.test, plan.samples.labels, plan.built.clip, train=False, flow=plan.flow
    )
    measured = evaluate(plan.built.model, test_set)
    if row.keep:
        save_model(
            out.with_suffix(".safetensors"),
            plan.built.model,
            name=plan.built.name,
            options=plan.built.options,
            labels=plan.samples.labels,
            clip=plan.built.clip,
            facts={},
        )
    shutil.rmtree(out, ignore_errors=True)
    return figures(
        measured,
        parameters=count_parameters(plan.built.model),
        gflops=count_gflops(plan.built.model, plan.built.clip),
        seconds=time.monotonic() - started,
    )


def together(row: Row, seed: int, started: float) -> dict[str, Any]:
    """What two trained rows answer together: the mean of their probabilities."""
    from muybridge.data.clips import ClipDataset
    from muybridge.data.layouts import read_samples
    from muybridge.flow.source import FlowSource
    from muybridge.model_file import load_model
    from muybridge.models.cost import count_gflops, count_parameters
    from muybridge.tasks.recognition import evaluate

    test = read_samples(WORK / "films" / "target").test
    streams = [load_model(WORK / "runs" / f"{key}-{seed}.safetensors") for key in row.streams]
    flow = FlowSource(WORK / "flow")
    alone = [evaluate(s.model, ClipDataset(test, s.labels, s.clip, train=False, flow=flow)) for s in streams]
    joint = sum(measured.probabilities for measured in alone) / len(alone)
    return figures(
        replace(alone[0], probabilities=joint),
        parameters=sum(count_parameters(s.model) for s in streams),
        gflops=sum(count_gflops(s.model, s.clip) for s in streams),
        seconds=time.monotonic() - started,
    )


def without_network(seed: int) -> dict[str, Any]:
    """What trajectories tell, found before."""
    from muybridge.data.layouts import read_samples
    from trajectories import classify

    samples = read_samples(WORK / "films" / "target")
    measured, cost = classify(list(samples.train), list(samples.test), WORK / "trajectories", seed)
    return figures(measured, gflops=None, **cost)


def figures(measured: Any, **cost: float) -> dict[str, Any]:
    """What is kept of a run."""
    import torch

    from muybridge.metrics.recognition import mean_class_accuracy

    return {
        "top1": measured.top1,
        "mean_class": mean_class_accuracy(measured.confusion),
        "pairs": told_apart(measured),
        "recall": {r.label: r.accuracy for r in measured.per_class},
        "videos": len(measured.targets),
        **cost,
        "threads": torch.get_num_threads(),
        "epochs": EPOCHS,
    }


def told_apart(measured: Any) -> float | None:
    """Share of the videos of paired actions whose own action scores above its twin; chance is a half."""
    number = {label: k for k, label in enumerate(measured.labels)}
    if not set(PAIRED) <= set(number):
        return None
    twin = dict(zip(PAIRED[::2], PAIRED[1::2], strict=True)) | dict(
        zip(PAIRED[1::2], PAIRED[::2], strict=True)
    )
    right = [
        float(scores[target] > scores[number[twin[measured.labels[target]]]])
        for scores, target in zip(measured.probabilities, measured.targets.tolist(), strict=True)
        if measured.labels[target] in twin
    ]
    return mean(right)


def main(key: str, seed: int) -> None:
    """Do it, and leave what came of it."""
    target = WORK / "runs" / f"{key}-{seed}"
    found = run(next(row for row in rows() if row.key == key), seed, target)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1))
    part.replace(target.with_suffix(".json"))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
