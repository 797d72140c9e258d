"""Data sets whose clips are of optical flow: made on the way, or stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from muybridge.data.clips import ClipDataset
from muybridge.data.layouts import read_samples
from muybridge.data.loading import make_loader
from muybridge.data.multigrid import Grid
from muybridge.data.samples import Samples
from muybridge.flow.source import FlowSource
from muybridge.recipe import AugmentRecipe
from muybridge.types import ClipSpec
from muybridge.video.reader import Video

pytest.importorskip("cv2", reason="OpenCV makes this flow")

SPEC = ClipSpec(
    frames=4,
    stride=2,
    size=32,
    short_side=36,
    modality="flow",
    mean=(0.5, 0.5),
    std=(0.5, 0.5),
    test_clips=2,
    test_crops=3,
)
BOTH = replace(SPEC, modality="rgb+flow", mean=(0.5,) * 5, std=(0.5,) * 5)
MADE = FlowSource("farneback")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory, film: Callable[..., Path]) -> Samples:
    """Films of 36x48 in which everything drifts to the right, by 2 pixels per frame."""
    root = tmp_path_factory.mktemp("drifting")
    for number, name in enumerate(("a/1", "a/2", "b/1")):
        film(root / f"{name}.mp4", seed=number)
    return read_samples(root)


@pytest.fixture(scope="module")
def stored(samples: Samples, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their flow, as the same method makes it."""
    return store(samples, tmp_path_factory.mktemp("stored"), 36)


def store(samples: Samples, folder: Path, short_side: int) -> Path:
    from muybridge.flow import open_method
    from muybridge.flow.parts import store_flow
    from muybridge.flow.storing import Storing

    for sample in samples.train:
        target = folder / sample.path.parent.name / f"{sample.path.stem}.flow.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Video(sample.path) as video:
            work = folder / "work"
            work.mkdir()
            store_flow(video, target, open_method("farneback"), Storing(short_side=short_side), work=work)
    return folder


def item(dataset: ClipDataset, index: int = 0) -> Tensor:
    clip = dataset[index]["clip"]
    assert clip is not None, dataset[index]["broken"]
    return clip


def x_of(clip: Tensor) -> float:
    """The usual horizontal motion, in pixels."""
    return clip[..., -2, :, 6:-6, 6:-6].median().item() * 20


@pytest.mark.parametrize(("flip", "x"), [(0, 2), (1, -2)])
@pytest.mark.parametrize("spec", [SPEC, BOTH])
def test_a_training_clip_shows_the_drift(spec: ClipSpec, flip: int, x: float, samples: Samples) -> None:
    augment = AugmentRecipe(scale=(1.0, 1.3), flip=flip, flip_never=("b",))
    dataset = ClipDataset(samples.train, samples.labels, spec, train=True, augment=augment, flow=MADE)
    assert item(dataset).shape == (spec.channels, 4, 32, 32)
    assert x_of(item(dataset)) == pytest.approx(x, abs=0.3)
    assert x_of(item(dataset, 2)) == pytest.approx(2, abs=0.3)  # left and right matter to b


def test_flow_is_in_pixels_of_the_models_size_even_where_clips_start_small(samples: Samples) -> None:
    twice = replace(SPEC, short_side=72, size=64)
    small = replace(twice, short_side=36, size=32)
    grids = (Grid(1, small), Grid(1, twice))
    still = AugmentRecipe(scale=(1, 1), flip=0)
    dataset = ClipDataset(
        samples.train, samples.labels, twice, train=True, augment=still, grids=grids, flow=MADE
    )
    clips = item(dataset), item(dataset, len(dataset))
    assert [clip.shape[-1] for clip in clips] == [32, 64]
    assert [x_of(clip) for clip in clips] == pytest.approx([4, 4], abs=0.6)


def test_a_test_item_holds_all_views(samples: Samples) -> None:
    dataset = ClipDataset(samples.train, samples.labels, BOTH, train=False, flow=MADE)
    assert item(dataset).shape == (6, 5, 4, 32, 32)
    assert x_of(item(dataset)) == pytest.approx(2, abs=0.3)
    alone = ClipDataset(samples.train, samples.labels, SPEC, train=False, flow=MADE)
    assert torch.equal(item(dataset)[:, 3:], item(alone))


def test_stored_flow_is_that_made_on_the_way(samples: Samples, stored: Path) -> None:
    for train in (True, False):
        made, kept = (
            ClipDataset(samples.train, samples.labels, SPEC, train=train, flow=source)
            for source in (MADE, FlowSource(stored))
        )
        difference = (item(made) - item(kept)).abs() * 20
        assert difference.mean() < 0.3  # 8 bits, and a film's compression
        assert x_of(item(kept)) == pytest.approx(x_of(item(made)), abs=0.2)


def test_stored_flow_needs_no_frame(samples: Samples, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = ClipDataset(samples.train, samples.labels, SPEC, train=False, flow=FlowSource(stored))
    asked: list[int] = []
    clips = Video.clips

    def noted(video: Video, wanted: list[list[int]], **how: object) -> object:
        asked.extend(len(row) for row in wanted)
        return clips(video, wanted, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Video, "clips", noted)
    item(dataset)
    assert asked == [0, 0]


def test_clips_are_the_same_whoever_reads_them(samples: Samples, stored: Path) -> None:
    for source in (MADE, FlowSource(stored)):
        dataset = ClipDataset(samples.train, samples.labels, BOTH, train=True, flow=source, seed=4)
        alone, together = (
            [batch["clip"] for batch in make_loader(dataset, 2, shuffle=True, num_workers=workers, seed=4)]
            for workers in (0, 2)
        )
        for one, other in zip(alone, together, strict=True):
            assert one is not None
            assert other is not None
            assert torch.equal(one, other)


def broken(samples: Samples, source: Path, spec: ClipSpec = SPEC) -> str:
    dataset = ClipDataset(samples.train, samples.labels, spec, train=False, flow=FlowSource(source))
    ((_, reason),) = dataset[0]["broken"]
    assert "\n" not in reason
    return reason


def test_videos_whose_flow_can_not_be_used_say_why(
    samples: Samples, stored: Path, tmp_path: Path, film: Callable[..., Path]
) -> None:
    (tmp_path / "empty").mkdir()
    assert "1.mp4: has no flow in" in broken(samples, tmp_path / "empty")
    assert "muybridge flow" in broken(samples, tmp_path / "empty")
    small = store(samples, tmp_path / "small", 24)
    assert "stored at a short side of 24, and the model sees 36" in broken(samples, small)
    # Stored as large as the film itself is: larger can't be had.
    dataset = ClipDataset(
        samples.train, samples.labels, replace(SPEC, short_side=72), train=False, flow=FlowSource(stored)
    )
    assert x_of(item(dataset)) == pytest.approx(4, abs=0.6)
    other = replace(
        samples, train=(replace(samples.train[0], path=film(tmp_path / "a" / "1.mp4", frames=7)),)
    )
    assert "flow of 12 frames, but the video has 7" in broken(other, stored)


def test_a_set_of_flow_must_know_where_it_comes_from(samples: Samples) -> None:
    with pytest.raises(ValueError, match="clips of flow need to know where flow comes from"):
        ClipDataset(samples.train, samples.labels, SPEC, train=True)
