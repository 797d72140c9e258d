"""Videos told apart by their trajectories: a linear SVM on Fisher vectors, in one file that can be loaded again.

Wang and Schmid (ICCV 2013): one class against the rest, C = 100.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.files import appearing
from muybridge.trajectories.extract import find_trajectories
from muybridge.trajectories.fisher import GAUSSIANS, SAMPLES, Doubles, FisherEncoder, sklearn
from muybridge.trajectories.settings import Floats, Settings, Trajectories, joined, nothing
from muybridge.types import WeightsError

PENALTY = 100.0
_FORMAT = "muybridge trajectories 1"

Batches = Iterable[Trajectories]


class Sampler:
    """Some trajectories of many videos, each equally likely, without holding the others.

    Args:
        settings: With which they are found.
        count: How many are wanted.
        videos: Of how many videos: each gives its share, or all it has.
        seed: Of the choice.
    """

    def __init__(self, settings: Settings, *, videos: int, count: int = SAMPLES, seed: int = 0) -> None:
        self.settings = settings
        self._share = max(1, -(-count // max(1, videos)))
        self._rng = np.random.default_rng(seed)
        self._taken: list[Trajectories] = []

    def take(self, batches: Batches) -> None:
        """The trajectories of one video."""
        held, keys = nothing(self.settings), np.zeros(0)
        for batch in batches:
            # The smallest of random keys are a fair choice, however the batches are cut.
            held = joined([held, batch], self.settings)
            keys = np.concatenate([keys, self._rng.random(len(batch))])
            chosen = np.argsort(keys)[: self._share]
            held, keys = held[chosen], keys[chosen]
        self._taken.append(held)

    def sample(self) -> Trajectories:
        """What was taken of all videos."""
        return joined(self._taken, self.settings)


def fit_svm(
    vectors: Floats, labels: Sequence[str], *, penalty: float = PENALTY
) -> tuple[list[str], Doubles, Doubles]:
    """A linear support vector machine per class, against the rest.

    Args:
        vectors: `(n, d)`, one per video.
        labels: `n` of them.
        penalty: C.

    Returns:
        Classes in alphabetical order, weights `(k, d)` and biases `(k,)`.

    Raises:
        ValueError: Fewer than two classes, or scikit-learn isn't there.
    """
    classes = sorted(set(labels))
    if len(classes) < 2:
        raise ValueError(f"videos of {len(classes)} class; a classifier needs two or more")
    # There are far fewer videos than numbers in a vector, so all is in their inner products.
    products = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    weights = np.zeros((len(classes), vectors.shape[1]))
    biases = np.zeros(len(classes))
    given = np.array(labels)
    for number, name in enumerate(classes):
        machine = sklearn("svm").SVC(C=penalty, kernel="precomputed").fit(products, given == name)
        weights[number] = machine.dual_coef_[0] @ vectors[machine.support_]
        biases[number] = machine.intercept_[0]
    return classes, weights, biases


class TrajectoryModel:
    """Tells the class of a video by its trajectories.

    Attributes:
        labels: Class names `(k)`.
        settings: With which trajectories are found.
        flow: Method of optical flow.
        short_side: Larger videos are made so small first.
        encoder: Makes one vector of them.
        weights: `(k, d)` of the support vector machines.
        biases: `(k,)`.
    """

    def __init__(
        self,
        labels: Sequence[str],
        encoder: FisherEncoder,
        weights: Doubles,
        biases: Doubles,
        *,
        settings: Settings,
        flow: str = "farneback",
        short_side: int | None = 256,
    ) -> None:
        self.labels = list(labels)
        self.encoder = encoder
        self.weights, self.biases = weights, biases
        self.settings, self.flow, self.short_side = settings, flow, short_side

    @classmethod
    def train(
        cls,
        videos: Sequence[tuple[Batches, str]],
        *,
        settings: Settings,
        gaussians: int = GAUSSIANS,
        samples: int = SAMPLES,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
        **source: Any,
    ) -> TrajectoryModel:
        """Learn from videos whose trajectories have been found.

        Args:
            videos: The trajectories of each, which are gone through twice (`StoredTrajectories` reads them anew each
                time; a list does as well), and its label.
            settings: With which they were found.
            gaussians: Gaussians per descriptor.
            samples: Trajectories to which these are fitted.
            seed: Of everything random.
            progress: Called with (videos encoded, videos in all).
            source: `flow` and `short_side`, with which they were found.

        Raises:
            ValueError: Too few trajectories or classes, or scikit-learn isn't there.
        """
        sampler = Sampler(settings, videos=len(videos), count=samples, seed=seed)
        for batches, _ in videos:
            sampler.take(batches)
        encoder = FisherEncoder.fit(sampler.sample(), gaussians=gaussians, seed=seed)
        vectors = np.zeros((len(videos), encoder.size), np.float32)
        for row, (batches, _) in enumerate(videos):
            vectors[row] = encoder.encode(batches)
            if progress is not None:
                progress(row + 1, len(videos))
        labels, weights, biases = fit_svm(vectors, [label for _, label in videos])
        return cls(labels, encoder, weights, biases, settings=settings, **source)

    def scores(self, batches: Batches) -> dict[str, float]:
        """How far on the side of each class a video lies, best first; negative is the other side."""
        found = self.weights @ self.encoder.encode(batches) + self.biases
        return {self.labels[k]: float(found[k]) for k in np.argsort(-found).tolist()}

    def recognize(self, video: str | Path) -> dict[str, float]:
        """`scores` of a video that is read here.

        Raises:
            VideoError: It can't be read, or is too small or too short.
        """
        return self.scores(
            find_trajectories(video, settings=self.settings, flow=self.flow, short_side=self.short_side)
        )

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file.

        Raises:
            ValueError: The folder doesn't exist or can't be written into.
        """
        from safetensors.numpy import save_file

        tensors = {name: np.ascontiguousarray(array) for name, array in self.encoder.tensors().items()}
        tensors |= {"svm.weights": self.weights.astype(np.float32), "svm.biases": self.biases}
        about = {
            "labels": self.labels,
            "settings": asdict(self.settings),
            "flow": self.flow,
            "short_side": self.short_side,
        }
        path = Path(path)
        with appearing(path) as temporary:
            save_file(tensors, temporary, metadata={"format": _FORMAT, "about": json.dumps(about)})
        return path

    @classmethod
    def load(cls, path: str | Path) -> TrajectoryModel:
        """Read what `save` wrote.

        Raises:
            WeightsError: It isn't such a file.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "numpy") as file:
                facts = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if facts.get("format") != _FORMAT:
                raise KeyError
            about = json.loads(facts["about"])
            encoder = FisherEncoder.of_tensors(tensors)
            weights, biases = tensors["svm.weights"].astype(np.float64), tensors["svm.biases"]
        except (SafetensorError, OSError, KeyError, ValueError):
            raise WeightsError(
                f"{path}: is no trajectory model; give a file that TrajectoryModel.save wrote"
            ) from None
        return cls(
            about["labels"],
            encoder,
            weights,
            biases,
            settings=Settings(**about["settings"]),
            flow=about["flow"],
            short_side=about["short_side"],
        )
