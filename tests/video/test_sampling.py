from __future__ import annotations

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.types import ClipSpec
from muybridge.video.sampling import (
    clip_at,
    clip_indices,
    dense_indices,
    keyframe_indices,
    segment_indices,
    sliding_windows,
    uniform_clips,
    windows,
)

NTSC = Fraction(30000, 1001)


def spec(frames: int = 8, stride: int = 2, **other: Any) -> ClipSpec:
    return ClipSpec(frames=frames, stride=stride, **other)


# Segments (TSN)


@pytest.mark.parametrize(
    ("num_frames", "num_segments", "expected"),
    [
        (16, 3, [2, 8, 13]),  # centres 2.67, 8.0, 13.33
        (300, 8, [18, 56, 93, 131, 168, 206, 243, 281]),  # 18.75, then every 37.5
        (2, 5, [0, 0, 1, 1, 1]),  # 0.2 0.6 1.0 1.4 1.8
        (1, 3, [0, 0, 0]),
        (5, 1, [2]),
    ],
)
def test_one_clip_of_segments_holds_their_centres(
    num_frames: int, num_segments: int, expected: list[int]
) -> None:
    assert segment_indices(num_frames, num_segments).tolist() == [expected]


def test_more_clips_of_segments_hold_other_phases() -> None:
    # Segments of 12 frames: halves start at 0 and 6, the centres of thirds are 2, 6 and 10.
    assert segment_indices(24, 2, num_clips=2).tolist() == [[6, 18], [0, 12]]
    assert sorted(segment_indices(24, 2, num_clips=3).tolist()) == [[2, 14], [6, 18], [10, 22]]


def test_random_segments_are_uniform_in_time() -> None:
    drawn = segment_indices(10, 4, num_clips=20_000, rng=np.random.default_rng(0))
    # 2.5 frames a segment: the second one holds the second half of frame 2, then frames 3 and 4.
    shares = np.bincount(drawn[:, 1], minlength=10) / len(drawn)
    np.testing.assert_allclose(shares, [0, 0, 0.2, 0.4, 0.4, 0, 0, 0, 0, 0], atol=0.02)
    assert (np.diff(drawn) >= 0).all()
    assert drawn.min() == 0
    assert drawn.max() == 9


def test_random_segments_of_a_short_video_repeat_its_frames() -> None:
    drawn = segment_indices(2, 6, num_clips=50, rng=np.random.default_rng(0))
    assert (drawn == [0, 0, 0, 1, 1, 1]).all()


# Dense clips


def test_dense_clips_start_wherever_they_fit_equally_often() -> None:
    drawn = dense_indices(10, 4, 2, num_clips=8_000, rng=np.random.default_rng(0))
    assert (np.diff(drawn) == 2).all()
    # A clip reaches over 7 frames, so it can start at 0, 1, 2 or 3.
    np.testing.assert_allclose(np.bincount(drawn[:, 0]) / len(drawn), [0.25] * 4, atol=0.02)


@pytest.mark.parametrize("num_clips", [1, 3])
def test_a_video_shorter_than_the_clip_loops(num_clips: int) -> None:
    looped = [[0, 1, 2, 3, 4, 0, 1, 2]] * num_clips
    assert dense_indices(5, 8, 1, num_clips=num_clips, rng=np.random.default_rng(0)).tolist() == looped
    assert uniform_clips(5, 8, 1, num_clips=num_clips).tolist() == looped


def test_test_clips_run_from_the_first_frame_to_the_last() -> None:
    clips = uniform_clips(20, 4, 2, num_clips=3)
    assert clips.tolist() == [[0, 2, 4, 6], [6, 8, 10, 12], [13, 15, 17, 19]]
    assert uniform_clips(20, 4, 2, num_clips=1).tolist() == [[6, 8, 10, 12]]


def test_single_frames_are_taken_from_the_centres_of_parts() -> None:
    assert uniform_clips(16, 1, 1, num_clips=3).tolist() == [[2], [8], [13]]


# The door


@pytest.mark.parametrize("sampling", ["dense", "segments"])
@pytest.mark.parametrize("fps", [None, Fraction(25)])
@pytest.mark.parametrize("train", [False, True])
def test_whatever_the_video_a_clip_lies_inside_it(sampling: Any, fps: Fraction | None, train: bool) -> None:
    rng = np.random.default_rng(0)
    for num_frames in (1, 2, 7, 8, 15, 16, 101):
        for source in (Fraction(7), NTSC, 59.94, 240):
            wanted = spec(sampling=sampling, fps=fps, test_clips=4)
            clips = clip_indices(wanted, num_frames, source, train=train, rng=rng)
            assert clips.dtype == np.int64
            assert clips.shape == (1 if train else 4, 8)
            assert clips.min() >= 0
            assert clips.max() < num_frames


def test_the_same_seed_takes_the_same_training_clips() -> None:
    def take(seed: int) -> list[list[int]]:
        rng = np.random.default_rng(seed)
        return clip_indices(spec(), 500, 30, train=True, rng=rng, num_clips=5).tolist()

    assert take(3) == take(3)
    assert take(3) != take(4)


def test_testing_ignores_a_source_of_randomness() -> None:
    for sampling in ("dense", "segments"):
        wanted = spec(sampling=sampling)
        drawn = clip_indices(wanted, 90, 30, train=False, rng=np.random.default_rng(0), num_clips=2)
        assert drawn.tolist() == clip_indices(wanted, 90, 30, train=False, num_clips=2).tolist()


def test_numpy_counts_work_like_integers() -> None:
    wanted = spec(fps=Fraction(10))
    given, plain = (clip_indices(wanted, n, 30.0, train=False) for n in (np.int64(90), 90))  # type: ignore[arg-type]
    assert given.tolist() == plain.tolist()
    assert sliding_windows(wanted, np.int64(90), 30.0, window_s=1, every_s=1)[0][-1] == (2.0, 3.0)  # type: ignore[arg-type]


# Time


@pytest.mark.parametrize("train", [False, True])
def test_a_60_fps_video_is_seen_at_the_instants_of_its_30_fps_twin(train: bool) -> None:
    wanted = spec(fps=Fraction(30), stride=3)
    slow = clip_indices(wanted, 300, 30, train=train, rng=np.random.default_rng(1), num_clips=10)
    fast = clip_indices(wanted, 600, 60, train=train, rng=np.random.default_rng(1), num_clips=10)
    assert fast.tolist() == (2 * slow).tolist()
    assert (np.diff(slow) == 3).all()
    assert slow.tolist() != clip_indices(spec(stride=3), 600, 60, train=False).tolist()


def test_without_a_rate_source_frames_count() -> None:
    assert (np.diff(clip_indices(spec(stride=3), 600, 60, train=False)) == 3).all()


@pytest.mark.parametrize("source", [Fraction(24), NTSC, Fraction(25), Fraction(120), Fraction(5)])
def test_each_tick_takes_the_frame_on_screen_at_its_instant(source: Fraction) -> None:
    wanted = spec(frames=8, stride=1, fps=Fraction(30))
    [clip] = clip_indices(wanted, round(source * 10), source, train=False, num_clips=1)
    ticks = 146 + np.arange(8)  # ten seconds are 300 ticks, of which the middle eight begin at 146
    if source == NTSC:  # 300 of its frames last 10.01 s: 301 ticks, still from 146
        assert clip.tolist() == [145, 146, 147, 148, 149, 150, 151, 152]
    for index, tick in zip(clip.tolist(), ticks.tolist(), strict=True):
        assert index / source <= Fraction(tick, 30) < (index + 1) / source


def test_slower_sources_show_a_frame_for_several_ticks() -> None:
    [clip] = clip_indices(spec(frames=6, stride=1, fps=Fraction(30)), 2, 10, train=False, num_clips=1)
    assert clip.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_rate_may_be_given_as_the_float_nearest_to_it() -> None:
    wanted = spec(fps=NTSC)
    exact = clip_indices(wanted, 10_000, NTSC, train=False)
    assert clip_indices(wanted, 10_000, float(NTSC), train=False).tolist() == exact.tolist()
    assert exact.tolist() == clip_indices(spec(), 10_000, 1, train=False).tolist()


# Keyframes


def test_a_clip_is_centred_on_the_frame_at_a_time() -> None:
    assert clip_at(spec(4, 16), 27_000, 30, 2.0).tolist() == [28, 44, 60, 76]
    assert clip_at(spec(5, 1), 100, 10, 3.09).tolist() == [28, 29, 30, 31, 32]


def test_every_frames_own_start_time_finds_that_frame() -> None:
    for source in (NTSC, Fraction(60), Fraction(24000, 1001)):
        found = [clip_at(spec(1, 1), 2_000, source, float(i / source))[0] for i in range(2_000)]
        assert found == list(range(2_000))


def test_near_an_end_a_keyframe_clip_holds_the_end() -> None:
    assert keyframe_indices(100, 6, 2, keyframe=1).tolist() == [0, 0, 0, 1, 3, 5]
    assert keyframe_indices(100, 6, 2, keyframe=99).tolist() == [93, 95, 97, 99, 99, 99]
    assert clip_at(spec(2, 1), 30, 30, 1.0).tolist() == [28, 29]  # the very end is its last frame


def test_a_keyframe_clip_keeps_time_too() -> None:
    wanted = spec(frames=4, stride=2, fps=Fraction(30))
    assert clip_at(wanted, 600, 60, 5.0).tolist() == (2 * clip_at(wanted, 300, 30, 5.0)).tolist()


# Windows


@pytest.mark.parametrize(
    ("duration", "window", "every", "expected"),
    [
        (10, 2, 2, [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]),
        (4, 2, 1, [(0, 2), (1, 3), (2, 4)]),
        (5.5, 2, 2, [(0, 2), (2, 4), (3.5, 5.5)]),  # the last is moved back
        (4.5, 2, 1, [(0, 2), (1, 3), (2, 4), (2.5, 4.5)]),
        (15, 1, 10, [(0, 1), (10, 11)]),  # the gap was asked for
        (1.5, 2, 1, [(0, 1.5)]),
        (0.3, 0.1, 0.1, [(0, 0.1), (0.1, 0.2), (0.2, 0.3)]),  # no sliver from rounding
    ],
)
def test_windows_lie_inside_the_video(
    duration: float, window: float, every: float, expected: list[tuple[float, float]]
) -> None:
    found = windows(duration, window_s=window, every_s=every)
    assert [(float(start), float(end)) for start, end in found] == expected


def test_a_clip_lies_in_the_middle_of_its_window() -> None:
    times, clips = sliding_windows(spec(4, 2), 100, 10, window_s=2, every_s=4)
    assert times == [(0, 2), (4, 6), (8, 10)]
    # Twenty frames a window, of which a clip reaches over seven: 6 before it, 7 after.
    assert clips.tolist() == [[6, 8, 10, 12], [46, 48, 50, 52], [86, 88, 90, 92]]


def test_a_clip_longer_than_its_window_stays_in_the_video() -> None:
    _, clips = sliding_windows(spec(16, 1), 40, 10, window_s=1, every_s=1)
    assert clips[:, 0].tolist() == [0, 7, 17, 24]
    assert clips[:, -1].tolist() == [15, 22, 32, 39]


def test_windows_over_a_video_shorter_than_a_clip_loop() -> None:
    times, clips = sliding_windows(spec(8, 1), 5, 10, window_s=2, every_s=1)
    assert times == [(0, 0.5)]
    assert clips.tolist() == [[0, 1, 2, 3, 4, 0, 1, 2]]


def test_one_window_over_everything_sees_the_single_test_clip() -> None:
    for num_frames in (10, 33, 100):
        _, [clip] = sliding_windows(spec(), num_frames, 30, window_s=100, every_s=1)
        assert [clip.tolist()] == clip_indices(spec(), num_frames, 30, train=False, num_clips=1).tolist()


def test_segments_divide_the_window() -> None:
    wanted = spec(frames=4, sampling="segments")
    times, clips = sliding_windows(wanted, 100, 10, window_s=4, every_s=3)
    assert times == [(0, 4), (3, 7), (6, 10)]
    assert clips.tolist() == [[5, 15, 25, 35], [35, 45, 55, 65], [65, 75, 85, 95]]


def test_windows_keep_time() -> None:
    wanted = spec(fps=Fraction(15), stride=1)
    slow = sliding_windows(wanted, 300, 30, window_s=1.5, every_s=0.7)
    fast = sliding_windows(wanted, 600, 60, window_s=1.5, every_s=0.7)
    assert slow[0] == fast[0]
    assert (2 * slow[1]).tolist() == fast[1].tolist()


# Errors


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: clip_indices(spec(), 0, 30, train=False), "num_frames is 0"),
        (lambda: clip_indices(spec(), 9, 30, train=False, num_clips=0), "num_clips is 0"),
        (lambda: clip_indices(spec(), 9, 30, train=True), "rng="),
        (lambda: clip_indices(spec(fps=Fraction(1)), 9, 0, train=False), "fps is 0"),
        (lambda: clip_indices(spec(fps=Fraction(1)), 9, float("nan"), train=False), "fps is nan"),
        (lambda: segment_indices(-1, 3), "num_frames is -1"),
        (lambda: segment_indices(5, 0), "num_segments is 0"),
        (lambda: uniform_clips(5, 4, 0, num_clips=1), "stride is 0"),
        (lambda: keyframe_indices(5, 4, 1, keyframe=5), "keyframe 5 is not in a video of 5 frames"),
        (lambda: clip_at(spec(), 30, 30, 1.5), "from 0 to 1.000 s"),
        (lambda: clip_at(spec(), 30, 30, -0.1), "time_s is -0.1"),
        (lambda: sliding_windows(spec(), 9, 30, window_s=0, every_s=1), "window_s is 0"),
        (lambda: sliding_windows(spec(), 9, 30, window_s=1, every_s=-1), "every_s is -1"),
        (lambda: sliding_windows(spec(), 9, 30, window_s=float("inf"), every_s=1), "window_s is inf"),
        (lambda: sliding_windows(spec(), 0, 30, window_s=1, every_s=1), "num_frames is 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(call: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


# MMAction2's test-time indices: ours are equal, or differ for a reason that sampling.py gives


@pytest.mark.shared
def test_indices_equal_mmaction2s_but_for_the_reasons_given(shared: Path) -> None:
    settings = json.loads((shared / "fixtures" / "mm_sampling.json").read_text())
    assert len(settings) == 359
    outcome = Counter(_compare_with_mmaction2(setting) for setting in settings)
    assert outcome == {
        "equal": 217,
        "theirs divides by zero": 54,
        "theirs freezes at the end": 29,
        "theirs runs past the end": 26,
        "theirs leans towards the start": 15,
        "theirs is one frame late": 12,
        "theirs never reaches the end": 6,
    }


def _compare_with_mmaction2(setting: dict[str, Any]) -> str:
    """What the difference is, after asserting that it is exactly that."""
    args, total = setting["args"], setting.get("total", 0)
    frames, stride = args["clip_len"], args.get("frame_interval", 1)
    if setting["type"] == "SampleAVAFrames":
        return _compare_keyframe(setting, frames, stride)
    if setting["type"] == "UniformSample":
        return _compare_parts(np.array(setting["frame_inds"]), total, frames, args["num_clips"])
    if setting["type"] == "DenseSampleFrames":
        return _compare_tsm_dense(np.array(setting["frame_inds"]), total)
    assert setting["type"] == "SampleFrames"
    num_clips, twice = args["num_clips"], args["twice_sample"]
    if frames == 1 and twice:
        ours = segment_indices(total, num_clips, num_clips=2).reshape(-1, 1)
    else:
        ours = uniform_clips(total, frames, stride, num_clips=num_clips * (1 + twice))
    if "error" in setting:
        assert "ZeroDivisionError" in setting["error"]
        assert (twice, num_clips, ours.shape) == (True, 1, (2, frames))
        return "theirs divides by zero"
    theirs = np.array(setting["frame_inds"]).reshape(ours.shape)
    if np.array_equal(ours, theirs):
        return "equal"
    run = np.arange(frames) * stride
    if run[-1] >= total:
        assert args["out_of_bound_opt"] == "repeat_last"
        assert (theirs[:num_clips] == np.minimum(run, (total - 1) // stride * stride)).all()
        assert (ours == run % total).all()
        return "theirs freezes at the end"
    assert twice
    starts = np.rint(np.arange(2 * num_clips) * (total - 1 - run[-1]) / (num_clips - 1))
    unbounded = starts[:, None] + run
    inside = unbounded < total
    assert (theirs[inside] == unbounded[inside]).all()
    assert not inside.all()
    assert (np.diff(ours) == stride).all()
    return "theirs runs past the end"


def _compare_keyframe(setting: dict[str, Any], frames: int, stride: int) -> str:
    time_s = setting["timestamp"] - setting["timestamp_start"]
    ours = clip_at(spec(frames, stride), setting["shot_info"][1], setting["fps"], time_s)
    theirs = np.array(setting["frame_inds"]) - setting["start_index"]
    assert ours[frames // 2] == time_s * setting["fps"]
    assert (theirs == ours + 1).all()
    return "theirs is one frame late"


def _compare_parts(theirs: np.ndarray, total: int, frames: int, num_clips: int) -> str:
    ours = segment_indices(total, frames, num_clips=num_clips).ravel()
    part = (total - 1) / frames
    shifts = (part * np.arange(1, num_clips + 1) / (num_clips + 1)).astype(int)
    assert (theirs == (np.rint(np.arange(frames) * part) + shifts[:, None]).ravel()).all()
    if num_clips == 1:
        assert ours.mean() > theirs.mean()
    assert (ours != theirs).any()
    return "theirs leans towards the start"


def _compare_tsm_dense(theirs: np.ndarray, total: int) -> str:
    ours = uniform_clips(total, 8, 8, num_clips=10)
    if np.array_equal(ours.ravel(), theirs):
        return "equal"
    assert theirs.max() == total - 8
    assert ours.max() == total - 1
    return "theirs never reaches the end"
