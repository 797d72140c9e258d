"""The row of dense trajectories in docs/tables.md: the same films as the networks', no network.

Trajectories are found once, and what is there is not found again, so the work can be stopped at any time. Each seed
draws other trajectories for the codebooks.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from statistics import mean

import torch

from muybridge.data.crew import side_by_side
from muybridge.data.samples import Sample
from muybridge.metrics.recognition import Evaluation
from muybridge.trajectories import Settings, StoredTrajectories, TrajectoryModel, save_trajectories

SETTINGS = Settings()
GAUSSIANS, SAMPLES = 32, 100_000
"""Films of 72x96 pixels hold some hundred trajectories: an eighth of the paper's Gaussians is as good."""


def find_all(films: list[Path], store: Path, workers: int) -> None:
    """Find the trajectories of films, and write down what it takes."""
    store.mkdir(parents=True, exist_ok=True)
    missing = [film for film in films if not _place(store, film).exists()]
    took = [seconds for _, seconds in side_by_side(partial(_find, store), missing, workers)]
    if took:
        text = json.dumps({"films": len(took), "seconds_per_film": mean(took)})
        (store / "cost.json").write_text(text)


def _find(store: Path, film: Path) -> float:
    """Find a film's trajectories; the seconds of one core that it took."""
    import cv2

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    started = time.process_time()
    save_trajectories(film, _place(store, film), settings=SETTINGS, again=False)
    return time.process_time() - started


def _place(store: Path, film: Path) -> Path:
    return store / f"{film.parent.parent.name}-{film.parent.name}-{film.stem}.safetensors"


def classify(
    train: list[Sample], test: list[Sample], store: Path, seed: int
) -> tuple[Evaluation, dict[str, float]]:
    """Learn from the trajectories of some films and judge the others.

    Returns:
        The evaluation, whose probabilities are sides of the support vector machines: only their order counts; and what
        it cost.
    """
    started = time.process_time()
    videos = [(StoredTrajectories(_place(store, sample.path)), sample.label) for sample in train]
    model = TrajectoryModel.train(videos, settings=SETTINGS, gaussians=GAUSSIANS, samples=SAMPLES, seed=seed)
    fitted = time.process_time()
    scores = [model.scores(StoredTrajectories(_place(store, sample.path))) for sample in test]
    judged = time.process_time()
    labels = tuple(model.labels)
    measured = Evaluation(
        labels=labels,
        probabilities=torch.tensor([[told[label] for label in labels] for told in scores]),
        targets=torch.tensor([labels.index(sample.label) for sample in test]),
        views=1,
    )
    finding = json.loads((store / "cost.json").read_text())["seconds_per_film"]
    return measured, {
        "parameters": sum(array.size for array in model.encoder.tensors().values()) + model.weights.size,
        "seconds": fitted - started + finding * len(train),
        "seconds_per_video": finding + (judged - fitted) / len(test),
    }
