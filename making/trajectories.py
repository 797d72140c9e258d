"""The row of dense trajectories in docs/tables.md: the same films as the networks', three seeds of the encoding.

    python making/trajectories.py --workers 2

Trajectories are found once and lie under `build/tables/trajectories`; what is there is not found again, so the work can
be stopped at any time. Each seed draws other trajectories for the codebooks, and leaves
`build/tables/runs/trajectories-SEED.json`.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

import numpy as np

from muybridge.data.crew import side_by_side
from muybridge.data.layouts import read_samples
from muybridge.trajectories import Settings, StoredTrajectories, TrajectoryModel, save_trajectories
from tables import WORK, film, told_apart

SETTINGS = Settings()
GAUSSIANS, SAMPLES = 32, 100_000
"""Films of 72x96 pixels hold some hundred trajectories: an eighth of the paper's Gaussians is as good."""
FOUND = WORK / "trajectories"


def find(path: Path) -> float:
    """Find a film's trajectories; the seconds of CPU that it took, 0 if they were there."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    started = time.process_time()
    saved = save_trajectories(path, _place(path), settings=SETTINGS, again=False)
    return 0.0 if saved.ready else time.process_time() - started


def _place(path: Path) -> Path:
    return FOUND / f"{path.parent.parent.name}-{path.parent.name}-{path.stem}.safetensors"


def measure(train: list[Any], test: list[Any], seed: int) -> dict[str, Any]:
    """Fit and measure with one seed."""
    started = time.process_time()
    videos = [(StoredTrajectories(_place(sample.path)), sample.label) for sample in train]
    model = TrajectoryModel.train(videos, settings=SETTINGS, gaussians=GAUSSIANS, samples=SAMPLES, seed=seed)
    fitted = time.process_time()
    scores = [model.scores(StoredTrajectories(_place(sample.path))) for sample in test]
    right = [next(iter(told)) == sample.label for told, sample in zip(scores, test, strict=True)]
    recall = {
        label: mean(hit for hit, sample in zip(right, test, strict=True) if sample.label == label)
        for label in model.labels
    }
    measured = SimpleNamespace(
        labels=model.labels,
        probabilities=np.array([[told[label] for label in model.labels] for told in scores]),
        targets=np.array([model.labels.index(sample.label) for sample in test]),
    )
    return {
        "top1": mean(right),
        "mean_class": mean(recall.values()),
        "pairs": told_apart(measured),
        "recall": recall,
        "videos": len(test),
        "parameters": sum(array.size for array in model.encoder.tensors().values()) + model.weights.size,
        "gflops": None,
        "threads": 1,
        "seconds": fitted - started,
        "seconds_per_video": (time.process_time() - fitted) / len(test),
    }


def main() -> None:
    """Find, fit, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    film(asked.workers)
    samples = read_samples(WORK / "films" / "target")
    paths = [Path(sample.path) for sample in (*samples.train, *samples.test)]
    FOUND.mkdir(parents=True, exist_ok=True)
    took = []
    for number, (_, seconds) in enumerate(side_by_side(find, paths, asked.workers), 1):
        took += [seconds] if seconds else []
        if number % 100 == 0:
            print(f"{number} of {len(paths)} films", flush=True)
    if took:
        text = json.dumps({"films": len(took), "seconds_per_film": mean(took)})
        (FOUND / "cost.json").write_text(text)
    cost = json.loads((FOUND / "cost.json").read_text())["seconds_per_film"]
    (WORK / "runs").mkdir(exist_ok=True)
    for seed in range(asked.seeds):
        figures = measure(list(samples.train), list(samples.test), seed)
        figures["seconds_per_video"] += cost
        figures["seconds"] += cost * len(paths) / asked.seeds
        (WORK / "runs" / f"trajectories-{seed}.json").write_text(json.dumps(figures, indent=1))
        print(
            f"seed {seed}  top-1 {figures['top1']:6.1%}  pairs {figures['pairs']:6.1%}  "
            f"{figures['seconds_per_video']:.2f} s of one core per video",
            flush=True,
        )


if __name__ == "__main__":
    main()
