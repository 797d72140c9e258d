"""What `muybridge data prepare` gains: random clips from a film as it came and as it was prepared, against decord.

    pip install -e .[benchmark]
    python benchmarks/preparing.py VIDEO ...

A clip is 16 frames, every 4th, short side 256, centre crop 224, and opens its file anew, as a loader that shuffles
a data set does. CPU time of one thread is measured; contenders take turns in random order and read the same moments.
They are checked to give the same pictures: decord on the original within colour rounding, the copies as PSNR. Beside
the films given, one of 1280x720 with a key frame every 250 frames is made. The floor feeds a bare decoder the packets
that the clip needs, from memory, without looking for them and without making RGB of what comes out.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muybridge.video import Video, VideoMeta
from muybridge.video.decoding import Decoder
from muybridge.video.opening import open_video
from muybridge.video.packet_index import build_index
from muybridge.video.reencode import Encoding, reencode
from muybridge.video.writer import VideoWriter

SIDE, SIZE = 256, 224
FRAMES, STRIDE, CLIPS = 16, 4, 8
MAX_PIXELS, MAX_S = 1 << 26, 3600.0
Clip = list[int]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="*", default=_default_videos())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for video in [*arguments.videos, drawn_film(folder / "drawn 720p.mp4")]:
            compare(video, folder, arguments.rounds, rng)


def compare(original: Path, folder: Path, rounds: int, rng: random.Random) -> None:
    copies = {"gop 12": folder / "gop12.mp4", "intra": folder / "intra.mp4"}
    spent_s = {}
    for (name, copy), gop in zip(copies.items(), (12, 1), strict=True):
        before = time.process_time()
        reencode(original, copy, Encoding(short_side=SIDE, gop=gop))
        spent_s[name] = time.process_time() - before
    with Video(original, square_pixels=False) as video:  # decord can't do otherwise
        meta = video.meta
    room = meta.num_frames - (FRAMES - 1) * STRIDE
    clips = [list(range(s, s + FRAMES * STRIDE, STRIDE)) for s in (rng.randrange(room) for _ in range(CLIPS))]
    small = min(meta.width, meta.height) <= SIDE
    read = {
        "decord, original": lambda clip: decord(original, clip, None if small else _resized(meta)),
        "ours, original": lambda clip: ours(original, clip, meta),
        "ours, gop 12": lambda clip: ours(copies["gop 12"], clip, meta),
        "ours, intra": lambda clip: ours(copies["intra"], clip, meta),
    }
    floors = {
        "floor, original": Floor(original),
        "floor, gop 12": Floor(copies["gop 12"]),
        "floor, intra": Floor(copies["intra"]),
    }
    megabytes = {"original": original, **copies}
    sizes = ", ".join(f"{name} {path.stat().st_size / 1e6:.2f} MB" for name, path in megabytes.items())
    encoding = ", ".join(f"{name} {s / meta.duration_s:.2f}" for name, s in spent_s.items())
    print(f"\n{original.name}: {meta.width}x{meta.height}, {meta.num_frames} frames; {sizes}")
    print(f"  CPU seconds to prepare a second: {encoding}")
    spent = take_turns(read | floors, clips, rounds, rng)
    alike = likeness(read, clips)
    print(f"  {'':18} {'clips/s, median':>16} {'times decord, median (min..max)':>34}  pictures")
    for name, times in spent.items():
        ratios = [theirs / own for theirs, own in zip(spent["decord, original"], times, strict=True)]
        ratio = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
        print(f"  {name:18} {CLIPS / statistics.median(times):>16.1f} {ratio:>34}  {alike.get(name, '')}")


# --- contenders: numbers of frames -> uint8 frames -------------------------------------------------------------------


def ours(path: Path, clip: Clip, meta: VideoMeta) -> torch.Tensor:
    height, width = _resized(meta)
    with Video(path, square_pixels=False) as video:
        small = min(video.meta.width, video.meta.height) <= SIDE
        crop = ((height - SIZE) // 2, (width - SIZE) // 2, SIZE, SIZE)
        return video.frames(clip, short_side=None if small else SIDE, crop=crop)


def decord(path: Path, clip: Clip, size: tuple[int, int] | None) -> Any:
    """Its decoder resizes, which is faster than resizing afterwards."""
    import decord as package

    if size is None:
        reader = package.VideoReader(str(path), num_threads=1)
    else:
        reader = package.VideoReader(str(path), num_threads=1, height=size[0], width=size[1])
    frames = reader.get_batch(clip).asnumpy()
    top, left = (frames.shape[1] - SIZE) // 2, (frames.shape[2] - SIZE) // 2
    return frames[:, top : top + SIZE, left : left + SIZE]


class Floor:
    """The decoder alone: packets in memory, the table of frames known, no colours."""

    def __init__(self, path: Path) -> None:
        opened = open_video(path, max_pixels=MAX_PIXELS)
        index, kept = build_index(*opened, path, max_pixels=MAX_PIXELS, max_duration_s=MAX_S)
        self.decoder = Decoder(path, index, max_pixels=MAX_PIXELS, opened=opened, kept=kept)

    def __call__(self, clip: Clip) -> None:
        for _ in self.decoder.frames(np.array(clip)):
            pass


# --- measuring -------------------------------------------------------------------------------------------------------


def take_turns(
    contenders: dict[str, Callable[[Clip], Any]], clips: Sequence[Clip], rounds: int, rng: random.Random
) -> dict[str, list[float]]:
    """CPU seconds for all clips, per contender and round."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name in rng.sample(list(contenders), len(contenders)):
            before = time.process_time()
            for clip in clips:
                contenders[name](clip)
            spent[name].append(time.process_time() - before)
    return spent


def likeness(read: dict[str, Callable[[Clip], Any]], clips: Sequence[Clip]) -> dict[str, str]:
    """How alike the pictures are to those that we read from the original; a frame off by one would show."""
    said: dict[str, str] = {}
    for name, contender in read.items():
        if name == "ours, original":
            continue
        apart, off = [], []
        for clip in clips:
            true, seen = _float(read["ours, original"](clip)), _float(contender(clip))
            difference = seen - true
            apart.append(float(difference.square().mean()))
            off.append(float(difference.abs().mean()))
        error = statistics.fmean(apart)
        peak = f"PSNR {10 * math.log10(255**2 / error):.1f} dB" if error else "the same"
        said[name] = f"{statistics.fmean(off):.2f} grey levels apart, {peak}"
    return said


def _float(frames: Any) -> torch.Tensor:
    frames = torch.as_tensor(frames)
    return (frames if frames.shape[1] == 3 else frames.permute(0, 3, 1, 2)).float()


def _resized(meta: VideoMeta) -> tuple[int, int]:
    """Height and width with a short side of at most 256."""
    if min(meta.width, meta.height) <= SIDE:
        return meta.height, meta.width
    if meta.width < meta.height:
        return round(meta.height * SIDE / meta.width), SIDE
    return SIDE, round(meta.width * SIDE / meta.height)


# --- films -----------------------------------------------------------------------------------------------------------


def drawn_film(path: Path, seconds: int = 20, fps: int = 30) -> Path:
    """A textured wall under a slowly moving camera, with things that move before it, and a little noise."""
    generator = torch.Generator().manual_seed(0)
    wall = sum(
        torch.nn.functional.interpolate(
            torch.rand(1, 3, rows, 2 * rows, generator=generator), (900, 1600), mode="bicubic"
        )[0]
        / part
        for part, rows in ((1.5, 6), (4, 60), (6, 300))
    )
    wall = wall.clamp(0, 1).mul(235)
    noise = torch.randn(4, 3, 720, 1280, generator=generator).mul(2)
    things = torch.rand(12, 7, generator=generator)
    with VideoWriter(path, fps=fps, gop=250, crf=20, b_frames=3, threads=1) as writer:
        for number in range(seconds * fps):
            turn = number / fps
            top, left = (int(80 + 70 * math.sin(f * turn)) for f in (0.5, 0.37))
            frame = wall[:, top : top + 720, 2 * left : 2 * left + 1280] + noise[number % 4]
            for x, y, dx, dy, *colour in things.tolist():
                column = int((x + dx * turn / 4) % 1 * 1100)
                row = int((y + dy * turn / 4) % 1 * 560)
                frame[:, row : row + 140, column : column + 90] *= torch.tensor(colour)[:, None, None]
            writer.write(frame.clamp(0, 255).byte())
    return path


def _default_videos() -> list[Path]:
    folder = Path(__file__).parents[2] / "shared" / "clips" / "single"
    return [path for path in sorted(folder.glob("*.mp4")) if path.stem != "demo_spatiotemporal_det"]


if __name__ == "__main__":
    main()
