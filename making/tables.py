"""The papers' tables in miniature: every row trained on `figures` with one budget and three seeds.

    make tables                                            # all rows that are not there yet, then docs/tables.md
    python making/tables.py --rows 'slowfast*' --seeds 1   # some rows, one seed; docs/tables.md shows what there is

Narrow versions of the papers' networks see the same films, as often, in the same order of seeds. Each run is a process
of its own with one thread and leaves `build/tables/runs/ROW-SEED.json`; what is there is not done again, so the work
can be stopped at any time. Two runs go side by side. A GPU, where there is one, is used.

What the rows are, `rows.py` says. The films are of 27 actions. Those of `TARGET` hold five pairs that no single frame
can tell apart, because one is the other backwards (sit down, stand up) or because half of the people walk backwards
(walk left, walk right). The other actions are there to be learnt from first, in the table of transfer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import mean
from typing import Any

from rows import (
    BATCH,
    CLAIMS,
    EPOCHS,
    FILM,
    FLOW_BOUND_PX,
    PAIRED,
    SIDE,
    SOURCE,
    TARGET,
    TEST_VIDEOS,
    TRAIN_VIDEOS,
    TRAJECTORIES,
    Row,
    rows,
)

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "build" / "tables"
PAGE = HERE.parent / "docs" / "tables.md"

SCALES = {
    "rgb": ("clip.mean=[0.45, 0.45, 0.45]", "clip.std=[0.225, 0.225, 0.225]"),
    "flow": ("clip.modality=flow", "clip.mean=[0.5, 0.5]", "clip.std=[0.5, 0.5]"),
    "rgb+flow": (
        "clip.modality=rgb+flow",
        "clip.mean=[0.45, 0.45, 0.45, 0.5, 0.5]",
        "clip.std=[0.225, 0.225, 0.225, 0.5, 0.5]",
    ),
}

# One run, in a process of its own.


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


# All runs.


def film(workers: int) -> None:
    """The two data sets."""
    from muybridge.data.figures import film_dataset

    for name, actions in (("target", TARGET), ("source", SOURCE)):
        print(f"films of {name}: {WORK / 'films' / name}", flush=True)
        film_dataset(
            WORK / "films" / name,
            videos_per_class=(TRAIN_VIDEOS, 0, TEST_VIDEOS),
            size=FILM,
            seed=4,
            actions=actions,
            workers=workers,
        )


def store_flow(workers: int) -> None:
    """The flow of the first data set."""
    from muybridge.data.flow_store import write_store
    from muybridge.flow.storing import Storing

    print(f"flow of target: {WORK / 'flow'}", flush=True)
    storing = Storing(short_side=SIDE, bound=FLOW_BOUND_PX)
    write_store(WORK / "films" / "target", WORK / "flow", storing, method="tvl1", workers=workers)


def store_trajectories(workers: int) -> None:
    """The trajectories of the first data set."""
    from muybridge.data.layouts import read_samples
    from trajectories import find_all

    print(f"trajectories of target: {WORK / 'trajectories'}", flush=True)
    samples = read_samples(WORK / "films" / "target")
    find_all([sample.path for sample in (*samples.train, *samples.test)], WORK / "trajectories", workers)


def do(row: Row, seed: int, lines: list[str]) -> None:
    """One run in a process of its own, unless its result is there."""
    result = WORK / "runs" / f"{row.key}-{seed}.json"
    if result.exists() and (not row.keep or result.with_suffix(".safetensors").exists()):
        return
    started = time.monotonic()
    command = [sys.executable, __file__, "--run", row.key, "--seed", str(seed)]
    env = os.environ | {"PYTHONPATH": str(HERE), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        lines.append(f"{row.key}, seed {seed}: failed")
        return
    figures = json.loads(result.read_text())
    print(
        f"{row.key:24} seed {seed}  top-1 {figures['top1']:6.1%}  {time.monotonic() - started:5.0f} s",
        flush=True,
    )


def results() -> dict[str, list[dict[str, Any]]]:
    """What lies there, by row."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows():
        for file in sorted((WORK / "runs").glob(f"{row.key}-[0-9].json")):
            found.setdefault(row.key, []).append(json.loads(file.read_text()))
    return found


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", default="*", help="shell pattern of rows")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2, help="runs side by side")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    known = {row.key: row for row in rows()}
    (WORK / "runs").mkdir(parents=True, exist_ok=True)
    if asked.run:
        target = WORK / "runs" / f"{asked.run}-{asked.seed}"
        figures = run(known[asked.run], asked.seed, target)
        part = target.with_suffix(".part")
        part.write_text(json.dumps(figures, indent=1))
        part.replace(target.with_suffix(".json"))
        return
    failed: list[str] = []
    chosen = [row for row in known.values() if fnmatchcase(row.key, asked.rows)]
    film(asked.workers)
    if any(row.streams or row.modality != "rgb" for row in chosen):
        store_flow(asked.workers)
    if any(row.key == TRAJECTORIES for row in chosen):
        store_trajectories(asked.workers)
    for waits in (False, True):  # what needs another run's weights comes after it
        with ThreadPoolExecutor(asked.workers) as pool:
            for seed in range(asked.seeds):
                for row in chosen:
                    if bool(row.start or row.streams) == waits:
                        pool.submit(do, row, seed, failed)
    from tables_page import page

    PAGE.write_text(page(list(known.values()), results(), CLAIMS))
    print(f"wrote {PAGE}")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
