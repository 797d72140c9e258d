"""Which frames a network sees: integers in, frame numbers out.

Every function is pure and returns int64 frame numbers counted from 0; no video is opened here. Three
protocols cover the field: one frame of each of several equal parts (TSN), one run of frames at a random place
(training) and runs spread evenly over the video (testing); sliding windows and keyframe clips are built from
them.

Time: with `ClipSpec.fps` unset, a stride counts source frames. With a rate, the video is first seen through a
clock that ticks at that rate (tick `i` at `i / rate` seconds, as long as the video lasts); clips are cut in
ticks, and each tick becomes the source frame on screen at that instant. So 60 fps and 30 fps films of one
scene give the same instants. The arithmetic is exact (fractions); a source of variable rate is treated as
having its mean rate.

Compared with MMAction2 1.2.0 (whose test-time indices these equal where the protocol is the same), on
purpose:

* A clip that outlasts its video always loops; MMAction2 can also repeat its last frame (`repeat_last`).
* Twice as many dense clips (`twice_sample`) are spread over the video; MMAction2 spaces them as if there were
  half as many, so that the second half runs past the end and wraps (and with one clip it divides by zero).
* `DenseSampleFrames` keeps `frames * stride` frames free and rounds down; a clip needs only
  `(frames - 1) * stride + 1`, and with that room the last clip ends on the last frame.
* `UniformSample` divides `num_frames - 1` into parts and so leans towards the start; a segment's centre here
  is TSN's.
* `SampleAVAFrames` starts counting at 1 twice and centres one frame late; a keyframe here is the frame on
  screen at its time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from muybridge.types import ClipSpec

Indices = NDArray[np.int64]
Rate = Fraction | float


def clip_indices(
    spec: ClipSpec,
    num_frames: int,
    fps: Rate,
    *,
    train: bool,
    rng: np.random.Generator | None = None,
    num_clips: int | None = None,
) -> Indices:
    """The frames that a model with this spec is fed: the one door for training and testing.

    Args:
        spec: How the model wants its clips.
        num_frames: Frames of the video.
        fps: Frame rate of the video, in frames per second. Read only if `spec.fps` is set and clips are
        dense.
        train: True takes random clips, False the fixed ones of the test protocol.
        rng: Source of randomness; needed for training.
        num_clips: Clips to take; by default 1 for training and `spec.test_clips` for testing.

    Returns:
        Frame numbers `(num_clips, spec.frames)`.

    Raises:
        ValueError: No frames, a rate that isn't positive, fewer than one clip, or training without `rng`.
    """
    if train and rng is None:
        raise ValueError("random clips need a source of randomness; give rng=np.random.default_rng(seed)")
    if num_clips is None:
        num_clips = 1 if train else spec.test_clips
    if not train:
        rng = None
    if spec.sampling == "segments":
        return segment_indices(num_frames, spec.frames, num_clips=num_clips, rng=rng)
    ticks = _count_ticks(spec, num_frames, fps)
    if rng is not None:
        clips = dense_indices(ticks, spec.frames, spec.stride, num_clips=num_clips, rng=rng)
    else:
        clips = uniform_clips(ticks, spec.frames, spec.stride, num_clips=num_clips)
    return _ticks_to_frames(spec, fps, clips)


def segment_indices(
    num_frames: int, num_segments: int, *, num_clips: int = 1, rng: np.random.Generator | None = None
) -> Indices:
    """One frame of each of `num_segments` equal parts of the video.

    Segment-based sampling of TSN (Wang et al. 2016, https://arxiv.org/abs/1608.00859). Parts have equal
    length in time, not whole frames, so a video shorter than `num_segments` simply shows frames several
    times.

    With `rng` each frame is drawn uniformly from its part. Without, the first clip holds the centre of each
    part, and further clips other phases, evenly spaced and counted round from the centre: two clips give
    centre and start (the `twice_sample` test of TSM, Lin et al. 2019, https://arxiv.org/abs/1811.08383),
    three the centres of its thirds.

    Returns:
        Frame numbers `(num_clips, num_segments)`, never falling along a clip.

    Raises:
        ValueError: An argument is below 1.
    """
    _at_least_one(num_frames=num_frames, num_segments=num_segments, num_clips=num_clips)
    parts = np.arange(num_segments, dtype=np.int64)
    if rng is not None:
        # A part is num_frames long when counted in 1/num_segments of a frame: a uniform draw without
        # rounding.
        draws = rng.integers(0, num_frames, size=(num_clips, num_segments))
        return np.asarray((parts * num_frames + draws) // num_segments, dtype=np.int64)
    phases = (num_clips + 2 * np.arange(num_clips, dtype=np.int64)) % (2 * num_clips)
    halves = 2 * num_clips * parts + phases[:, None]
    return np.asarray(halves * num_frames // (2 * num_clips * num_segments), dtype=np.int64)


def dense_indices(
    num_frames: int, frames: int, stride: int, *, num_clips: int = 1, rng: np.random.Generator
) -> Indices:
    """Runs of `frames` frames, `stride` apart, at random places.

    The training clips of C3D (Tran et al. 2015, https://arxiv.org/abs/1412.0767) and SlowFast (Feichtenhofer
    et al. 2019, https://arxiv.org/abs/1812.03982): every start at which the clip fits is equally likely. A
    video shorter than the clip loops from its first frame.

    Returns:
        Frame numbers `(num_clips, frames)`.

    Raises:
        ValueError: An argument is below 1.
    """
    _at_least_one(num_frames=num_frames, frames=frames, stride=stride, num_clips=num_clips)
    starts = rng.integers(0, _room(num_frames, frames, stride) + 1, size=num_clips)
    return _runs(starts, num_frames, frames, stride)


def uniform_clips(num_frames: int, frames: int, stride: int, *, num_clips: int) -> Indices:
    """Runs of `frames` frames, `stride` apart, spread evenly from the first frame to the last.

    The test clips of Non-local networks (Wang et al. 2018, https://arxiv.org/abs/1711.07971) and SlowFast.
    The first clip starts on the first frame, the last ends on the last, starts between are rounded to even; a
    single clip lies in the middle. A clip of a single frame is a sample rather than a run, and is taken from
    the centre of its part of the video, as by `segment_indices`. A video shorter than the clip loops from its
    first frame.

    Returns:
        Frame numbers `(num_clips, frames)`.

    Raises:
        ValueError: An argument is below 1.
    """
    _at_least_one(num_frames=num_frames, frames=frames, stride=stride, num_clips=num_clips)
    if frames == 1:
        return segment_indices(num_frames, num_clips).T.copy()
    room = _room(num_frames, frames, stride)
    if num_clips == 1:
        return _runs([room // 2], num_frames, frames, stride)
    starts = [round(Fraction(i * room, num_clips - 1)) for i in range(num_clips)]
    return _runs(starts, num_frames, frames, stride)


def keyframe_indices(num_frames: int, frames: int, stride: int, *, keyframe: int) -> Indices:
    """A run of `frames` frames, `stride` apart, round one frame: frame number `frames // 2` of the clip is
    `keyframe`.

    The clips of AVA (Gu et al. 2018, https://arxiv.org/abs/1705.08421). The keyframe must stay in its place,
    so near an end of the video the clip holds that end's frame instead of looping or moving.

    Returns:
        Frame numbers `(frames,)`.

    Raises:
        ValueError: A size is below 1, or the video has no such keyframe.
    """
    _at_least_one(num_frames=num_frames, frames=frames, stride=stride)
    if not 0 <= keyframe < num_frames:
        raise ValueError(f"keyframe {keyframe} is not in a video of {num_frames} frames, counted from 0")
    run = keyframe + (np.arange(frames, dtype=np.int64) - frames // 2) * stride
    return np.clip(run, 0, num_frames - 1)


def clip_at(spec: ClipSpec, num_frames: int, fps: Rate, time_s: float) -> Indices:
    """The clip round the frame on screen at `time_s` seconds; see `keyframe_indices`.

    Clips are dense here, whatever `spec.sampling` says: parts of a video have no keyframe.

    Returns:
        Frame numbers `(spec.frames,)`.

    Raises:
        ValueError: No frames, a rate that isn't positive, or a time outside the video.
    """
    _at_least_one(num_frames=num_frames)
    time, duration = _exact("time_s", time_s), num_frames / _positive("fps", fps)
    if not 0 <= time <= duration:
        raise ValueError(f"time_s is {time_s}; the video lasts from 0 to {float(duration):.3f} s")
    ticks = _count_ticks(spec, num_frames, fps)
    keyframe = min(math.floor(time * _clock(spec, fps)), ticks - 1)
    return _ticks_to_frames(spec, fps, keyframe_indices(ticks, spec.frames, spec.stride, keyframe=keyframe))


def windows(duration_s: Rate, *, window_s: float, every_s: float) -> list[tuple[Fraction, Fraction]]:
    """Stretches of `window_s` seconds, one every `every_s` seconds, none reaching beyond the video.

    Where a regular window would only partly fit at the end, a last one is moved back to end with the video:
    all windows are equally long, and with `every_s <= window_s` they cover everything. A video shorter than
    the window is one window, as long as the video.

    Returns:
        `(start, end)` in seconds, as exact fractions, in order of time.

    Raises:
        ValueError: An argument isn't positive (times count in microseconds), or isn't a number.
    """
    duration = _positive("duration_s", duration_s)
    window, every = _positive("window_s", window_s), _positive("every_s", every_s)
    if window >= duration:
        return [(Fraction(0), duration)]
    num_whole = (duration - window) // every + 1
    found = [(i * every, i * every + window) for i in range(num_whole)]
    if num_whole * every < duration and found[-1][1] < duration:
        found.append((duration - window, duration))
    return found


def sliding_windows(
    spec: ClipSpec, num_frames: int, fps: Rate, *, window_s: float, every_s: float
) -> tuple[list[tuple[float, float]], Indices]:
    """Windows over a video and the clip that stands for each; see `windows` for where they lie.

    A dense clip keeps the stride that the model was trained with, and lies in the middle of its window: of a
    longer window it sees the middle, and from a shorter window it reaches out on both sides. It stays inside
    the video, moved where it must, and loops if the whole video is shorter. With `segments` sampling, frames
    are the centres of `spec.frames` equal parts of the window.

    Returns:
        `[(start_s, end_s), ...]` in seconds, and frame numbers `(number of windows, spec.frames)`.

    Raises:
        ValueError: No frames, or a rate, `window_s` or `every_s` that isn't positive.
    """
    _at_least_one(num_frames=num_frames)
    rate = _positive("fps", fps)
    found = windows(num_frames / rate, window_s=window_s, every_s=every_s)
    times = [(float(start), float(end)) for start, end in found]
    if spec.sampling == "segments":
        bounds = [(math.floor(start * rate), math.ceil(end * rate)) for start, end in found]
        rows = [first + segment_indices(last - first, spec.frames)[0] for first, last in bounds]
        return times, np.stack(rows)
    ticks, clock = _count_ticks(spec, num_frames, fps), _clock(spec, fps)
    room, reach = _room(ticks, spec.frames, spec.stride), (spec.frames - 1) * spec.stride + 1
    middles = [(start + end) / 2 * clock for start, end in found]
    starts = [min(max(math.floor(middle - Fraction(reach, 2)), 0), room) for middle in middles]
    return times, _ticks_to_frames(spec, fps, _runs(starts, ticks, spec.frames, spec.stride))


def _room(num_frames: int, frames: int, stride: int) -> int:
    """The last start at which a clip still ends inside the video; 0 if it never does."""
    return max(num_frames - (frames - 1) * stride - 1, 0)


def _runs(starts: Iterable[int] | Indices, num_frames: int, frames: int, stride: int) -> Indices:
    starts = np.asarray(starts, dtype=np.int64)
    return (starts[:, None] + np.arange(frames, dtype=np.int64) * stride) % num_frames


def _clock(spec: ClipSpec, fps: Rate) -> Fraction:
    return _positive("fps", fps) if spec.fps is None else spec.fps


def _count_ticks(spec: ClipSpec, num_frames: int, fps: Rate) -> int:
    _at_least_one(num_frames=num_frames)
    if spec.fps is None:
        return num_frames
    return math.ceil(num_frames * spec.fps / _positive("fps", fps))


def _ticks_to_frames(spec: ClipSpec, fps: Rate, ticks: Indices) -> Indices:
    if spec.fps is None:
        return ticks
    per_tick = _positive("fps", fps) / spec.fps
    # Python's integers: measured rates can have numerators whose products pass 64 bits.
    frames = [int(i) * per_tick.numerator // per_tick.denominator for i in ticks.flat]
    return np.array(frames, dtype=np.int64).reshape(ticks.shape)


def _exact(name: str, value: Rate) -> Fraction:
    """A float as the fraction that was meant: 29.97002997 is 30000/1001, and 0.2333333 is 7/30."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} is {value}; it must be a number")
    return value if isinstance(value, Fraction) else Fraction(value).limit_denominator(1_000_000)


def _positive(name: str, value: Rate) -> Fraction:
    exact = _exact(name, value)
    if exact <= 0:
        raise ValueError(f"{name} is {value}; it must be positive")
    return exact


def _at_least_one(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} is {size}; it must be at least 1")
