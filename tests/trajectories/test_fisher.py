"""Fisher vectors against their formula, written out; the classifier on motions that differ in direction alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.trajectories.classify import Sampler, TrajectoryModel, fit_svm
from muybridge.trajectories.fisher import Codebook, FisherEncoder, FisherSum, fit_codebook, normalised
from muybridge.trajectories.settings import DESCRIPTORS, Settings, Trajectories, joined, nothing
from muybridge.types import WeightsError

RNG = np.random.default_rng(5)


def codebook(gaussians: int = 3, axes: int = 2, dim: int = 4) -> Codebook:
    weights = RNG.uniform(0.5, 1, gaussians)
    return Codebook(
        mean=RNG.normal(size=dim),
        axes=np.linalg.qr(RNG.normal(size=(dim, dim)))[0][:axes],
        weights=weights / weights.sum(),
        centres=RNG.normal(size=(gaussians, axes)),
        variances=RNG.uniform(0.5, 2, (gaussians, axes)),
    )


def by_the_formula(book: Codebook, descriptors: Any) -> Any:
    """Perronnin et al. 2010, one number at a time."""
    count = len(descriptors)
    means, variances = np.zeros(book.centres.shape), np.zeros(book.centres.shape)
    for descriptor in descriptors:
        x = book.axes @ (descriptor - book.mean)
        likely = [
            w * np.prod(np.exp(-((x - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v))
            for w, m, v in zip(book.weights, book.centres, book.variances, strict=True)
        ]
        for k, share in enumerate(np.array(likely) / sum(likely)):
            apart = (x - book.centres[k]) / np.sqrt(book.variances[k])
            means[k] += share * apart / (count * np.sqrt(book.weights[k]))
            variances[k] += share * (apart**2 - 1) / (count * np.sqrt(2 * book.weights[k]))
    return np.concatenate([means.ravel(), variances.ravel()])


def test_a_fisher_vector_is_what_its_formula_says_however_its_descriptors_come() -> None:
    book = codebook()
    descriptors = RNG.normal(size=(70, 4)).astype(np.float32)
    total = FisherSum(book)
    for part in np.split(descriptors, [1, 1, 40]):
        total.add(part)
    assert total.vector().shape == (book.size,) == (12,)
    np.testing.assert_allclose(total.vector(), by_the_formula(book, descriptors), rtol=1e-5, atol=1e-6)


def test_descriptors_that_the_mixture_makes_itself_give_a_vector_near_zero() -> None:
    book = codebook(gaussians=2)
    which = RNG.choice(2, size=40_000, p=book.weights)
    drawn = RNG.normal(size=(40_000, 2)) * np.sqrt(book.variances[which]) + book.centres[which]
    total = FisherSum(book)
    total.add((drawn @ book.axes + book.mean).astype(np.float32))
    assert np.abs(total.vector()).max() < 0.02
    shifted = FisherSum(book)
    shifted.add((drawn @ book.axes + book.mean + 0.5 * book.axes[0]).astype(np.float32))
    assert np.abs(shifted.vector()).max() > 0.1


def test_the_roots_sign_stays_and_the_length_is_one() -> None:
    np.testing.assert_allclose(normalised(np.array([-4.0, 0.0, 9.0])), np.array([-2, 0, 3]) / np.sqrt(13))
    assert np.array_equal(normalised(np.zeros(3)), np.zeros(3))


def test_the_fitted_mixture_is_the_one_that_made_the_descriptors() -> None:
    pytest.importorskip("sklearn", reason="needs the extra classic")
    centres = np.array([[4.0, 0, 0, 0], [-4, 0, 0, 0], [0, 4, 0, 0]])
    which = RNG.choice(3, size=3000, p=[0.5, 0.3, 0.2])
    book = fit_codebook((RNG.normal(size=(3000, 4)) + centres[which]).astype(np.float32), gaussians=3)
    order = np.argsort(-book.weights)
    np.testing.assert_allclose(book.weights[order], [0.5, 0.3, 0.2], atol=0.04)
    np.testing.assert_allclose(
        (book.centres @ book.axes + book.mean)[order][:, :2], centres[:, :2], atol=0.25
    )
    np.testing.assert_allclose(book.variances, 1, atol=0.2)
    with pytest.raises(ValueError, match="2 trajectories for 3 Gaussians"):
        fit_codebook(np.zeros((2, 4), np.float32), gaussians=3)


def trajectories(count: int, *, leftwards: bool = False, seed: int = 0) -> Trajectories:
    """Random descriptors; a fifth of the noise to the left or right in `shape`."""
    rng = np.random.default_rng(seed)
    settings = Settings()
    told = {
        name: rng.normal(size=(count, dim)).astype(np.float32) * 0.1 for name, dim in settings.dims.items()
    }
    told["shape"][:, ::2] += -0.02 if leftwards else 0.02
    return Trajectories(
        points=np.zeros((count, 16, 2), np.float32),
        last_frame=np.arange(count, dtype=np.int32),
        scale=np.ones(count, np.float32),
        **told,
    )


def test_a_sample_takes_from_each_video_its_share_and_each_row_is_as_likely() -> None:
    sampler = Sampler(Settings(), videos=2, count=2000)
    sampler.take([trajectories(4000), trajectories(4000)])
    sampler.take([trajectories(10)])
    sample = sampler.sample()
    assert len(sample) == 1010
    first = sample.last_frame[:1000]
    assert np.mean(first) == pytest.approx(2000, abs=150)


def test_support_vectors_lie_where_the_margin_is_widest() -> None:
    pytest.importorskip("sklearn", reason="needs the extra classic")
    vectors = np.array([[0, 1], [0, 3], [0, -1], [5, -1]], np.float32)
    labels, weights, biases = fit_svm(vectors, ["up", "up", "down", "down"])
    assert labels == ["down", "up"]
    # The widest street between them runs along the first axis: y > 0, with 1 at the points next to it.
    np.testing.assert_allclose(weights, [[0, -1], [0, 1]], atol=1e-3)
    np.testing.assert_allclose(biases, 0, atol=1e-3)
    with pytest.raises(ValueError, match="1 class"):
        fit_svm(vectors, ["up"] * 4)


@pytest.fixture(scope="module")
def model() -> TrajectoryModel:
    pytest.importorskip("sklearn", reason="needs the extra classic")
    videos = [
        ([trajectories(60, leftwards=k % 2 == 1, seed=k)], "left" if k % 2 else "right") for k in range(12)
    ]
    return TrajectoryModel.train(videos, settings=Settings(camera=False), gaussians=4, short_side=128)


def test_classes_are_told_apart(model: TrajectoryModel) -> None:
    for seed in range(20, 26):
        scores = model.scores([trajectories(50, leftwards=seed % 2 == 1, seed=seed)])
        assert next(iter(scores)) == ("left" if seed % 2 else "right")
        assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_a_video_is_a_vector_of_five_parts_of_length_one(model: TrajectoryModel) -> None:
    vector = model.encoder.encode([trajectories(50)])
    sizes = [2 * 4 * half for half in (15, 48, 54, 48, 48)]
    assert model.encoder.size == len(vector) == sum(sizes)
    for part in np.split(vector, np.cumsum(sizes)[:-1]):
        assert np.linalg.norm(part) == pytest.approx(1, abs=1e-5)
    assert not model.encoder.encode([nothing(Settings())]).any()
    assert not model.encoder.encode([]).any()
    halves = [trajectories(50)[:20], trajectories(50)[20:]]
    np.testing.assert_allclose(model.encoder.encode(halves), vector, atol=1e-5)
    assert len(joined(halves, Settings())) == 50


def test_a_model_comes_back_from_its_file(model: TrajectoryModel, tmp_path: Path) -> None:
    again = TrajectoryModel.load(model.save(tmp_path / "model.safetensors"))
    video = [trajectories(50, seed=40)]
    assert again.scores(video) == pytest.approx(model.scores(video), abs=1e-4)
    assert (again.settings, again.flow, again.short_side) == (Settings(camera=False), "farneback", 128)
    assert set(again.encoder.codebooks) == set(DESCRIPTORS)
    assert isinstance(again.encoder, FisherEncoder)
    (tmp_path / "text.safetensors").write_text("dear diary")
    for name in ("text.safetensors", "absent.safetensors"):
        with pytest.raises(WeightsError, match="is no trajectory model"):
            TrajectoryModel.load(tmp_path / name)


def test_real_films_go_all_the_way(films: Any) -> None:
    pytest.importorskip("sklearn", reason="needs the extra classic")
    from muybridge.trajectories.extract import find_trajectories
    from muybridge.video import Video

    settings = Settings(scales=1)
    videos = []
    for seed in range(4):
        way = 2.0 if seed % 2 else -2.0
        ground = films.texture(48, 200, seed)
        frames = films.tensor([films.moved(ground, way * k)[:, 70:130] for k in range(18)])
        found = list(find_trajectories(Video(frames), settings=Settings(scales=1, camera=False)))
        videos.append((found, "right" if seed % 2 else "left"))
    model = TrajectoryModel.train(videos, settings=settings, gaussians=2)
    assert [next(iter(model.scores(found))) for found, _ in videos] == ["left", "right", "left", "right"]
