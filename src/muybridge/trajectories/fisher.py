"""Many descriptors become one vector: how they differ from a mixture of Gaussians that was fitted to their like.

Perronnin, Sánchez, Mensink, "Improving the Fisher Kernel for Large-Scale Image Classification" (ECCV 2010), with the
sizes of Wang and Schmid (ICCV 2013): each descriptor is halved by PCA, 256 Gaussians, 256 000 descriptors to fit them
to, signed square root and L2 norm per descriptor.

With g(n, k) the share that Gaussian k (weight w, mean m, deviation s) has in descriptor x_n of N:

    mean part       sum_n g(n, k) (x_n - m_k) / s_k             / (N sqrt(w_k))
    variance part   sum_n g(n, k) ((x_n - m_k)^2 / s_k^2 - 1)   / (N sqrt(2 w_k))
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muybridge.trajectories.settings import DESCRIPTORS, Floats, Trajectories

GAUSSIANS = 256
SAMPLES = 256_000
_ROWS = 1 << 12

Doubles = NDArray[np.float64]


def sklearn(what: str) -> Any:
    """A module of scikit-learn.

    Raises:
        ValueError: It isn't installed.
    """
    try:
        return import_module(f"sklearn.{what}")
    except ImportError:
        raise ValueError("Fisher vectors need scikit-learn; type: pip install 'muybridge[classic]'") from None


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """What one descriptor is compared with.

    Attributes:
        mean: `(d,)` of the descriptor.
        axes: `(p, d)` its principal axes.
        weights: `(k,)` of the Gaussians; they sum to 1.
        centres: `(k, p)` their means.
        variances: `(k, p)`.
    """

    mean: Doubles
    axes: Doubles
    weights: Doubles
    centres: Doubles
    variances: Doubles

    @property
    def size(self) -> int:
        """Numbers in its Fisher vector: 2 k p."""
        return 2 * self.centres.size

    def reduce(self, descriptors: Floats) -> Doubles:
        """`(n, d)` to `(n, p)`."""
        return np.asarray((descriptors - self.mean) @ self.axes.T, np.float64)

    def shares(self, reduced: Doubles) -> Doubles:
        """How likely each Gaussian made each row of `(n, p)`: `(n, k)`, rows sum to 1."""
        precision = 1 / self.variances
        squares = (
            reduced**2 @ precision.T
            - 2 * reduced @ (self.centres * precision).T
            + (self.centres**2 * precision).sum(axis=1)
        )
        constant = np.log(self.weights) - 0.5 * np.log(2 * pi * self.variances).sum(axis=1)
        logs = constant - 0.5 * squares
        logs -= logs.max(axis=1, keepdims=True)
        shares = np.exp(logs)
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def fit_codebook(descriptors: Floats, *, gaussians: int = GAUSSIANS, seed: int = 0) -> Codebook:
    """Fit PCA and a mixture of Gaussians.

    Args:
        descriptors: `(n, d)` of many videos.
        gaussians: How many.
        seed: Of the first guess of their centres.

    Raises:
        ValueError: Fewer descriptors than Gaussians or than axes, or scikit-learn isn't there.
    """
    count, dim = descriptors.shape
    axes = max(1, dim // 2)
    if count < max(gaussians, axes):
        raise ValueError(
            f"{count} trajectories for {gaussians} Gaussians of {axes} numbers; give more videos, or fewer Gaussians"
        )
    pca = sklearn("decomposition").PCA(n_components=axes, random_state=seed)
    reduced = pca.fit_transform(descriptors.astype(np.float64))
    mixture = sklearn("mixture").GaussianMixture(
        gaussians, covariance_type="diag", init_params="k-means++", tol=1e-2, max_iter=50, random_state=seed
    )
    with warnings.catch_warnings():
        # A mixture that would still move a little is as good a codebook.
        warnings.simplefilter("ignore", sklearn("exceptions").ConvergenceWarning)
        mixture.fit(reduced)
    return Codebook(pca.mean_, pca.components_, mixture.weights_, mixture.means_, mixture.covariances_)


class FisherSum:
    """The Fisher vector of descriptors that come in batches."""

    def __init__(self, codebook: Codebook) -> None:
        self.codebook = codebook
        self.count = 0
        self._share = np.zeros(len(codebook.weights))
        self._first = np.zeros(codebook.centres.shape)
        self._second = np.zeros(codebook.centres.shape)

    def add(self, descriptors: Floats) -> None:
        """More descriptors, `(n, d)`."""
        for start in range(0, len(descriptors), _ROWS):
            reduced = self.codebook.reduce(descriptors[start : start + _ROWS])
            shares = self.codebook.shares(reduced)
            self.count += len(reduced)
            self._share += shares.sum(axis=0)
            self._first += shares.T @ reduced
            self._second += shares.T @ reduced**2

    def vector(self) -> Doubles:
        """`(2 k p,)`: the parts of all means, then those of all variances; not normalised, 0 without descriptors."""
        book, share = self.codebook, self._share[:, None]
        deviation = np.sqrt(book.variances)
        means = (self._first - share * book.centres) / deviation
        variances = (
            self._second - 2 * book.centres * self._first + share * book.centres**2
        ) / book.variances - share
        weights = np.sqrt(book.weights)[:, None] * max(self.count, 1)
        return np.concatenate([(means / weights).ravel(), (variances / (np.sqrt(2) * weights)).ravel()])


def normalised(vector: Doubles) -> Doubles:
    """Signed square root, then length 1: bursts of like descriptors count less. A vector of zeros stays one."""
    rooted = np.sign(vector) * np.sqrt(np.abs(vector))
    return np.asarray(rooted / max(float(np.linalg.norm(rooted)), 1e-12))


class FisherEncoder:
    """A video's trajectories as one vector: the normalised Fisher vectors of the five descriptors after each other.

    Attributes:
        codebooks: By descriptor.
    """

    def __init__(self, codebooks: Mapping[str, Codebook]) -> None:
        self.codebooks = dict(codebooks)

    @classmethod
    def fit(cls, sample: Trajectories, *, gaussians: int = GAUSSIANS, seed: int = 0) -> FisherEncoder:
        """Fit the codebooks to trajectories of many videos; see `Sampler`."""
        found = sample.descriptors
        return cls({name: fit_codebook(found[name], gaussians=gaussians, seed=seed) for name in DESCRIPTORS})

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        return sum(book.size for book in self.codebooks.values())

    def encode(self, batches: Iterable[Trajectories]) -> Floats:
        """Encode one video: float32 `(size,)`; zeros where nothing moves."""
        sums = {name: FisherSum(book) for name, book in self.codebooks.items()}
        for batch in batches:
            for name, total in sums.items():
                total.add(batch.descriptors[name])
        return np.concatenate([normalised(total.vector()) for total in sums.values()]).astype(np.float32)

    def tensors(self) -> dict[str, Doubles]:
        """All numbers by name, as they are saved."""
        return {
            f"{name}.{field.name}": getattr(book, field.name)
            for name, book in self.codebooks.items()
            for field in fields(Codebook)
        }

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, Doubles]) -> FisherEncoder:
        """The encoder whose `tensors` these are.

        Raises:
            KeyError: One is missing.
        """
        return cls(
            {
                name: Codebook(*(tensors[f"{name}.{field.name}"] for field in fields(Codebook)))
                for name in DESCRIPTORS
            }
        )
