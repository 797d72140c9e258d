from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from muybridge.data.clips import ClipDataset
from muybridge.data.layouts import read_samples
from muybridge.data.loading import make_loader
from muybridge.data.samples import Sample
from muybridge.recipe import AugmentRecipe
from muybridge.types import ClipSpec, VideoError
from muybridge.video.writer import VideoWriter

SPEC = ClipSpec(frames=4, stride=1, size=24, short_side=28, test_clips=3, test_crops=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, film: Callable[..., Path]) -> Path:
    root = tmp_path_factory.mktemp("films")
    for number, name in enumerate(("a/1", "a/2", "a/3", "b/1", "b/2")):
        film(root / f"{name}.mp4", seed=number)
    return root


@pytest.fixture
def torn(folder: Path, tmp_path: Path) -> list[Sample]:
    """Two videos per class; the first of class a is no video."""
    (tmp_path / "bad.mp4").write_bytes(b"not a video" * 100)
    good = [s for s in read_samples(folder).train if s.path.stem != "3"]
    return [Sample(tmp_path / "bad.mp4", ("a",), "x"), *good[1:]]


def test_a_training_item_is_one_clip(folder: Path) -> None:
    samples = read_samples(folder)
    dataset = ClipDataset(samples.train, samples.labels, SPEC, train=True, clips_per_video=2)
    item = dataset[3]
    assert len(dataset) == 10
    assert item["clip"] is not None
    assert item["clip"].shape == (3, 4, 24, 24)
    assert (item["label"], item["index"], item["broken"]) == (1, 3, ())
    assert dataset[8]["index"] == 3
    assert dataset.views == 1


def test_a_test_item_holds_all_views(folder: Path) -> None:
    samples = read_samples(folder)
    dataset = ClipDataset(samples.train, samples.labels, SPEC, train=False)
    clip = dataset[0]["clip"]
    assert clip is not None
    assert clip.shape == (9, 3, 4, 24, 24)
    assert dataset.views == 9
    fewer = ClipDataset(samples.train, samples.labels, SPEC, train=False, clips=2, crops=1)
    assert fewer.views == 2
    assert fewer[0]["clip"].shape == (2, 3, 4, 24, 24)  # type: ignore[union-attr]


def test_clips_are_the_same_whoever_reads_them(folder: Path) -> None:
    samples = read_samples(folder)
    augment = AugmentRecipe(brightness=0.2, noise=0.1)

    def epoch(number: int, workers: int) -> list[torch.Tensor]:
        dataset = ClipDataset(samples.train, samples.labels, SPEC, train=True, augment=augment, seed=4)
        loader = make_loader(dataset, 2, shuffle=True, num_workers=workers, seed=4)
        loader.batch_sampler.set_epoch(number)  # type: ignore[union-attr]
        return [batch["clip"] for batch in loader if batch["clip"] is not None]

    alone, together = epoch(1, 0), epoch(1, 2)
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(alone, epoch(2, 0), strict=True))


def test_another_epoch_or_seed_is_another_clip(folder: Path) -> None:
    samples = read_samples(folder)

    def clip(seed: int, index: int) -> torch.Tensor:
        item = ClipDataset(samples.train, samples.labels, SPEC, train=True, seed=seed)[index]
        assert item["clip"] is not None
        return item["clip"]

    assert torch.equal(clip(1, 0), clip(1, 0))
    assert not torch.equal(clip(1, 0), clip(2, 0))
    assert not torch.equal(clip(1, 0), clip(1, 5))


def test_another_video_of_the_class_stands_in_for_a_broken_one(torn: list[Sample]) -> None:
    dataset = ClipDataset(torn, ("a", "b"), SPEC, train=True)
    item = dataset[0]
    assert (item["label"], item["index"]) == (0, 1)
    assert item["clip"] is not None
    ((number, reason),) = item["broken"]
    assert number == 0
    assert "bad.mp4" in reason
    again = dataset[0]
    assert again["clip"] is not None
    assert torch.equal(again["clip"], item["clip"])


def test_a_broken_test_video_is_left_out(torn: list[Sample]) -> None:
    item = ClipDataset(torn, ("a", "b"), SPEC, train=False)[0]
    assert item["clip"] is None
    assert item["broken"][0][0] == 0


def test_a_class_without_a_whole_video_is_an_error(torn: list[Sample]) -> None:
    dataset = ClipDataset([torn[0], *torn[2:]], ("a", "b"), SPEC, train=True)
    with pytest.raises(VideoError, match="none of the 1 videos of class 'a' can be read"):
        dataset[0]


def test_a_stretch_shows_its_own_frames(tmp_path: Path) -> None:
    path = tmp_path / "grey.mp4"
    with VideoWriter(path, fps=10, crf=1) as writer:
        for t in range(20):
            writer.write(torch.full((3, 32, 32), 10 * t, dtype=torch.uint8))
    spec = ClipSpec(frames=5, stride=1, size=32, short_side=32, mean=(0, 0, 0), std=(1, 1, 1))
    sample = Sample(path, ("a",), "a", start_s=1.0, end_s=1.5)
    item = ClipDataset([sample], ("a",), spec, train=False, clips=1, crops=1)[0]
    assert item["clip"] is not None
    grey = item["clip"][0, 0].mean(dim=(1, 2)) * 255
    assert grey.tolist() == pytest.approx([100, 110, 120, 130, 140], abs=3)


def test_a_stretch_after_the_end_is_a_broken_sample(folder: Path) -> None:
    sample = Sample(folder / "a/1.mp4", ("a",), "a", start_s=60.0)
    item = ClipDataset([sample], ("a",), SPEC, train=False)[0]
    assert item["clip"] is None
    assert "starts at 60.0 s, but lasts 1.20 s" in item["broken"][0][1]


def test_labels_that_a_model_does_not_know_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="its class 'b' is not one of the model's: a"):
        ClipDataset(read_samples(folder).train, ("a",), SPEC, train=True)
    with pytest.raises(ValueError, match="without videos"):
        ClipDataset([], ("a",), SPEC, train=True)


SEVERAL = (("a", "b"), ("b",), ("a", "b"), (), ("c",))


def several(folder: Path) -> list[Sample]:
    """The five films, filed under none, one or two of three classes."""
    films = read_samples(folder).train
    return [replace(film, labels=labels) for film, labels in zip(films, SEVERAL, strict=True)]


def test_several_labels_are_ones_and_zeros(folder: Path) -> None:
    samples = several(folder)
    dataset = ClipDataset(samples, ("a", "b", "c"), SPEC, train=True, multi_label=True)
    expected = [[1, 1, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert dataset.targets.tolist() == expected
    assert dataset.targets.dtype == torch.float32
    batches = list(make_loader(dataset, 5, shuffle=False))
    assert batches[0]["label"].tolist() == expected
    with pytest.raises(ValueError, match=r"shows 2 classes \(a \+ b\) where one is wanted"):
        ClipDataset(samples, ("a", "b", "c"), SPEC, train=True)
    with pytest.raises(ValueError, match="its class 'b' is not one of the model's: a, c"):
        ClipDataset(samples, ("a", "c"), SPEC, train=True, multi_label=True)


def test_the_most_alike_stands_in_for_a_broken_video_of_several_labels(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"not a video" * 100)
    samples = several(folder)
    samples[0] = replace(samples[0], path=tmp_path / "bad.mp4")
    item = ClipDataset(samples, ("a", "b", "c"), SPEC, train=True, multi_label=True)[0]
    assert item["index"] == 2
    assert item["label"].tolist() == [1, 1, 0]
    assert [number for number, _ in item["broken"]] == [0]
    # Alone with its labels: what stands in brings its own.
    samples[2] = replace(samples[2], labels=("c",))
    item = ClipDataset(samples, ("a", "b", "c"), SPEC, train=True, multi_label=True)[0]
    assert (item["index"], item["label"].tolist()) == (1, [0, 1, 0])


def test_one_label_that_knows_its_side_keeps_a_clip_from_being_flipped(folder: Path) -> None:
    augment = AugmentRecipe(scale=(1.0, 1.0), shift=0.0, flip=1.0, flip_never=("b",))
    samples = several(folder)
    changed = ClipDataset(samples, ("a", "b", "c"), SPEC, train=True, augment=augment, multi_label=True)
    still = ClipDataset(
        samples,
        ("a", "b", "c"),
        SPEC,
        train=True,
        multi_label=True,
        augment=augment.model_copy(update={"flip": 0.0}),
    )
    for number, labels in enumerate(SEVERAL):
        one, other = changed[number]["clip"], still[number]["clip"]
        assert one is not None
        assert other is not None
        assert torch.equal(one, other if "b" in labels else other.flip(-1))
