"""Clips of flow: which field belongs to which frame, in what unit, computed how often."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from muybridge.flow import source as flow_source
from muybridge.flow.clips import ClipReader, read_together
from muybridge.flow.source import FlowSource, flow_of, stored_for
from muybridge.types import ClipSpec, VideoError
from muybridge.video.reader import Video

FLOW = ClipSpec(frames=4, stride=1, size=16, short_side=16, modality="flow", mean=(0.5, 0.5), std=(0.5, 0.5))
RGB = ClipSpec(frames=4, stride=1, size=16, short_side=16)
BOTH = replace(FLOW, modality="rgb+flow", mean=(0.5,) * 5, std=(0.5,) * 5)


class Pairs:
    """A method whose flow says which frames it was given, and that remembers them."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        fields = torch.stack([first[:, 0], second[:, 0]], dim=1).float()
        self.asked += [(int(x), int(y)) for x, y in fields.mean((2, 3)).tolist()]
        return fields


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Pairs:
    """What every method is for the length of a test."""
    method = Pairs()
    monkeypatch.setattr(flow_source, "open_method", lambda name, **options: method)
    return method


def counted(frames: int = 10, fps: float = 10, height: int = 16, width: int = 24) -> Video:
    """Frame i is i everywhere."""
    levels = torch.arange(frames, dtype=torch.uint8)
    return Video(levels[:, None, None, None].expand(-1, 3, height, width).contiguous(), fps=fps)


def seen(video: Video, spec: ClipSpec, rows: Any) -> list[Any]:
    """The clips, a number per frame and channel."""
    reader = ClipReader(video, spec, np.array(rows), FlowSource("tvl1"), short_side=spec.short_side)
    return [
        [part.float().mean((2, 3)).tolist() for part in (clip if isinstance(clip, tuple) else (clip,))]
        for clip in reader
    ]


def test_a_frames_flow_goes_to_the_next_frame_of_the_film(pairs: Pairs) -> None:
    [[flow]] = seen(counted(), FLOW, [[0, 4, 8, 9]])
    assert flow == [[0, 1], [4, 5], [8, 9], [8, 9]]  # the last frame has none of its own


def test_frames_in_any_order_and_again_have_their_own_flow(pairs: Pairs) -> None:
    [[flow]] = seen(counted(), FLOW, [[7, 8, 0, 0]])
    assert flow == [[7, 8], [8, 9], [0, 1], [0, 1]]
    assert sorted(pairs.asked) == [(0, 1), (7, 8), (8, 9)]


def test_stacks_are_pairs_of_channels_and_whole_as_far_as_the_film_goes(pairs: Pairs) -> None:
    stacked = replace(FLOW, frames=2, sampling="segments", mean=(0.5,) * 6, std=(0.5,) * 6)
    [[flow]] = seen(counted(), stacked, [[1, 9]])
    assert flow == [[1, 2, 2, 3, 3, 4], [6, 7, 7, 8, 8, 9]]
    [[short]] = seen(counted(3), stacked, [[0, 2]])
    assert short == [[0, 1, 1, 2, 1, 2], [0, 1, 1, 2, 1, 2]]


@pytest.mark.parametrize(
    ("spec", "factor"),
    [
        (FLOW, 1),
        (replace(FLOW, fps=Fraction(5)), 2),
        (replace(FLOW, fps=Fraction(25)), 0.4),
        (replace(FLOW, fps=Fraction(5), sampling="segments"), 1),
    ],
)
def test_flow_is_told_per_tick_of_the_models_clock(spec: ClipSpec, factor: float, pairs: Pairs) -> None:
    [[flow]] = seen(counted(fps=10), spec, [[3]])
    assert flow[0] == pytest.approx([3 * factor, 4 * factor])


def test_frames_and_flow_of_one_moment_come_together(pairs: Pairs) -> None:
    [[frames, flow]] = seen(counted(), BOTH, [[2, 5, 5, 9]])
    assert frames == [[2] * 3, [5] * 3, [5] * 3, [9] * 3]
    assert flow == [[2, 3], [5, 6], [5, 6], [8, 9]]


def test_each_pair_is_computed_once_for_all_clips(pairs: Pairs) -> None:
    rows = [range(start, start + 4) for start in (0, 2, 4, 5)]
    got = seen(counted(), FLOW, rows)
    assert [flow for [flow] in got] == [[[i, i + 1] for i in row] for row in rows]
    assert sorted(pairs.asked) == [(i, i + 1) for i in range(9)]


def test_flow_is_computed_at_the_models_size_whatever_the_frames_are(pairs: Pairs) -> None:
    video = counted(height=32, width=48)
    reader = ClipReader(video, BOTH, [np.arange(4)], FlowSource("tvl1"), short_side=None)
    frames, flow = reader.clip(0, video.frames(reader.wanted[0]))
    assert (frames.shape, flow.shape) == ((4, 3, 32, 48), (4, 2, 16, 24))


def test_two_models_watch_one_decoding(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    video = counted()
    decoded: list[int] = []
    pictures = video._film.pictures

    def noted(wanted: Any, **how: Any) -> Any:
        decoded.extend(wanted.tolist())
        return pictures(wanted, **how)

    monkeypatch.setattr(video._film, "pictures", noted)
    source = FlowSource("tvl1")
    readers = [
        ClipReader(video, RGB, [np.array([6, 7, 8, 9]), np.array([0, 2, 4, 6])], None, short_side=16),
        ClipReader(video, replace(FLOW, short_side=20, size=20), [np.arange(1, 5)], source, short_side=20),
    ]
    got = {(which, number): clip for which, number, clip in read_together(video, readers)}
    assert sorted(got) == [(0, 0), (0, 1), (1, 0)]
    assert decoded == sorted({*range(1, 6), 0, 2, 4, 6, 7, 8, 9})
    levels = {key: clip.float().mean((2, 3))[:, 0].tolist() for key, clip in got.items()}  # type: ignore[union-attr]
    assert levels == {(0, 0): [6, 7, 8, 9], (0, 1): [0, 2, 4, 6], (1, 0): [1, 2, 3, 4]}
    assert got[0, 0].shape[-2:] == (16, 24)  # type: ignore[union-attr]
    assert got[1, 0].shape[-2:] == (20, 30)  # type: ignore[union-attr]


def test_a_real_method_sees_a_scene_that_moves_left() -> None:
    pytest.importorskip("cv2", reason="OpenCV makes this flow")
    coarse = torch.rand(1, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    still = torch.nn.functional.interpolate(coarse, (48, 64), mode="bicubic")[0].clamp(0, 1).mul(255).byte()
    video = Video(torch.stack([still.roll(-3 * t, dims=2) for t in range(4)]), fps=10)
    spec = replace(FLOW, short_side=48, size=48)
    [clip] = ClipReader(video, spec, [np.arange(4)], FlowSource("farneback"), short_side=48)
    assert isinstance(clip, Tensor)
    middle = clip[:, :, 12:-12, 12:-12]
    assert middle[:, 0].median().item() == pytest.approx(-3, abs=0.2)
    assert middle[:, 1].median().item() == pytest.approx(0, abs=0.2)


# Where flow comes from


def test_a_source_goes_to_another_process(pairs: Pairs) -> None:
    source = FlowSource("raft_small")
    assert source.maker is pairs
    assert str(pickle.loads(pickle.dumps(source))) == "raft_small"


def test_a_trained_model_gets_the_flow_it_was_trained_on(tmp_path: Path) -> None:
    stored = {"flow": {"method": "raft_large", "folder": str(tmp_path)}}
    gone = {"flow": {"method": "raft_large", "folder": str(tmp_path / "gone")}}
    assert flow_of(RGB, stored, where=None) is None
    assert str(flow_of(FLOW, {}, where=None)) == "tvl1"
    assert str(flow_of(FLOW, {"flow": {"method": None, "folder": "x"}}, where=None)) == "tvl1"
    assert str(flow_of(FLOW, stored, where=None)) == "raft_large"
    assert str(flow_of(FLOW, stored, where="raft_small")) == "raft_small"
    data = {"data": str(tmp_path.resolve())}
    assert stored_for(stored | data, tmp_path) == tmp_path
    assert stored_for(stored | data, tmp_path / "other") is None
    assert stored_for(stored | data, None) is None
    assert stored_for(gone | data, tmp_path) is None


def refused(call: Callable[[], object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_what_is_neither_method_nor_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(lambda: FlowSource("tvl2"), ValueError, "tvl1")
    refused(
        lambda: FlowSource(tmp_path / "none"), ValueError, "none: no such folder of stored flow; store it"
    )
    refused(lambda: FlowSource(f"{tmp_path}/none"), ValueError, "no such folder of stored flow")
    monkeypatch.setattr("muybridge.flow.methods.find_spec", lambda name: None)
    refused(lambda: FlowSource("farneback"), ValueError, r"pip install .*muybridge\[flow\]")


def test_videos_without_flow_are_refused(pairs: Pairs) -> None:
    rows = [np.zeros(4, np.int64)]
    reader = lambda video, source: ClipReader(video, FLOW, rows, source, short_side=16)  # noqa: E731
    refused(
        lambda: reader(counted(1), FlowSource("tvl1")), VideoError, "one frame, and flow goes from one to"
    )
    refused(lambda: reader(counted(), None), ValueError, "need to know where flow comes from")
    still = torch.full((5, 3, 16, 24), 7, dtype=torch.uint8)
    [[flow]] = seen(Video(still), FLOW, [[0, 1, 2, 4]])
    assert flow == [[7, 7]] * 4  # whatever the method makes of frames that are alike
