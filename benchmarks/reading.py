"""How fast frames come out of a video file: muybridge against decord and torchcodec.

    pip install -e .[benchmark]     # torchcodec also needs FFmpeg's shared libraries on the machine
    python benchmarks/reading.py /path/to/video.mp4

What is measured is CPU time of the process, one decoder thread each, so that a busy machine does not disturb
it much. The contenders take turns in random order, every round opens the file anew (but for the sliding window),
and each must hand over the same picture: short side 256, centre crop 224, uint8 RGB. decord and torchcodec may do
so in the layout that costs them nothing; ours is a contiguous (t, c, h, w). Stored pixels are taken as they are,
since decord can't do otherwise. The file's short side should be 256, or decord would need somebody else's resize.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from muybridge.video import Video

SIDE, SIZE = 256, 224
FRAMES, STRIDE = 32, 2
SPAN = FRAMES * STRIDE
Clip = list[int]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?", default=_default_video())
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the short tasks")
    parser.add_argument("--long-rounds", type=int, default=3, help="rounds of the sliding window")
    parser.add_argument("--minutes", type=float, default=10, help="length of the sliding window's video")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory-of", nargs=2, metavar=("WHO", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.memory_of:
        who, file = arguments.memory_of
        print(json.dumps(_peak_of_sliding(who, Path(file))))
        return
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        short = {arguments.video.name: arguments.video}
        short["GOP 12 copy"] = reencode(arguments.video, Path(folder) / "gop12.mp4", gop=12)
        for label, path in short.items():
            compare_short(label, path, arguments.rounds, rng)
        lengths = {
            m: repeat(arguments.video, Path(folder) / f"{m:g}.mp4", 60 * m) for m in (1, 5, arguments.minutes)
        }
        compare_sliding(lengths[arguments.minutes], arguments.long_rounds, rng)
        compare_memory(lengths)


# --- contenders: (path, numbers of the frames) -> uint8 frames -------------------------------------------------------


def muybridge(path: Path, numbers: Sequence[int]) -> Any:
    with Video(path, square_pixels=False) as video:
        return video.frames(numbers, short_side=SIDE, crop=SIZE)


def decord(path: Path, numbers: Sequence[int]) -> Any:
    import decord as package

    reader = package.VideoReader(str(path), num_threads=1)
    return _cropped(reader.get_batch(numbers).asnumpy())


def torchcodec(path: Path, numbers: Sequence[int]) -> Any:
    return _torchcodec(path).get_frames_at(list(numbers)).data


def _torchcodec(path: Path) -> Any:
    from torchcodec.decoders import VideoDecoder
    from torchcodec.transforms import CenterCrop

    # "approximate" trusts the header instead of scanning the file: faster, and enough for this file.
    return VideoDecoder(
        str(path), num_ffmpeg_threads=1, seek_mode="approximate", transforms=[CenterCrop((SIZE, SIZE))]
    )


def sliding_muybridge(path: Path, clips: list[Clip]) -> Iterator[Any]:
    with Video(path, square_pixels=False) as video:
        yield from video.clips(clips, short_side=SIDE, crop=SIZE)


def sliding_decord(path: Path, clips: list[Clip]) -> Iterator[Any]:
    import decord as package

    reader = package.VideoReader(str(path), num_threads=1)
    for clip in clips:
        yield _cropped(reader.get_batch(clip).asnumpy())


def sliding_torchcodec(path: Path, clips: list[Clip]) -> Iterator[Any]:
    decoder = _torchcodec(path)
    for clip in clips:
        yield decoder.get_frames_at(clip).data


def floor(path: Path, numbers: Sequence[int]) -> None:
    """Decode everything up to the last frame needed and do nothing with it."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        for number, _ in enumerate(container.decode(stream)):
            if number >= max(numbers):
                return


SHORT = {"muybridge": muybridge, "decord": decord, "torchcodec": torchcodec, "plain decode": floor}
SLIDING = {"muybridge": sliding_muybridge, "decord": sliding_decord, "torchcodec": sliding_torchcodec}


# --- tasks -----------------------------------------------------------------------------------------------------------


def compare_short(label: str, path: Path, rounds: int, rng: random.Random) -> None:
    with Video(path) as video:
        count = len(video)
    start = (count - SPAN) // 2
    starts = np.linspace(0, count - SPAN, 10).astype(int).tolist()
    tasks = {
        "8 uniform frames": [int((k + 0.5) * count / 8) for k in range(8)],
        f"dense {FRAMES}x{STRIDE}": list(range(start, start + SPAN, STRIDE)),
        f"10 clips {FRAMES}x{STRIDE}": [s + k for s in starts for k in range(0, SPAN, STRIDE)],
    }
    print(f"\n{label}: {count} frames, {path.stat().st_size / 1e6:.2f} MB")
    _print_head()
    for task, numbers in tasks.items():
        ours = _as_float(muybridge(path, numbers))
        differences = {who: _difference(ours, SHORT[who](path, numbers)) for who in ("decord", "torchcodec")}
        spent = _take_turns({who: _bind(run, path, numbers) for who, run in SHORT.items()}, rounds, rng)
        _print_rows(task, spent, differences)


def compare_sliding(path: Path, rounds: int, rng: random.Random) -> None:
    with Video(path) as video:
        seconds, count = video.meta.duration_s, len(video)
    clips = [list(range(s, s + SPAN, STRIDE)) for s in range(0, count - SPAN + 1, FRAMES)]
    # The others read a part that begins and ends at about the same place between two key frames, scaled to all clips.
    part = clips[len(clips) // 2 :][:28]
    scale = len(clips) / len(part)
    print(
        f"\nsliding window {FRAMES}x{STRIDE} every {FRAMES} frames over {seconds / 60:.1f} minutes: {len(clips)} clips"
    )
    print(
        f"(decord and torchcodec keep their reader open; they are measured on {len(part)} clips and scaled)"
    )
    _print_head()
    ours = [_as_float(clip) for clip in sliding_muybridge(path, part)]
    differences = {}
    for who in ("decord", "torchcodec"):
        pairs = zip(ours, SLIDING[who](path, part), strict=True)
        differences[who] = statistics.fmean(_difference(a, b) for a, b in pairs)
    del ours
    turns = {
        who: _bind(_exhaust, run, path, clips if who == "muybridge" else part) for who, run in SLIDING.items()
    }
    turns["plain decode"] = _bind(floor, path, [count - 1])
    spent = _take_turns(turns, rounds, rng)
    for who in ("decord", "torchcodec"):
        spent[who] = [s * scale for s in spent[who]]
    _print_rows("sliding window", spent, differences)


def compare_memory(lengths: dict[float, Path]) -> None:
    print(
        "\npeak memory of the sliding window, MB above import (own processes; decord and torchcodec read 12 clips)"
    )
    for who in SLIDING:
        peaks = []
        for path in lengths.values():
            command = [sys.executable, __file__, "--memory-of", who, str(path)]
            peaks.append(
                json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            )
        line = ", ".join(f"{m:g} min {peak:.0f}" for m, peak in zip(lengths, peaks, strict=True))
        print(f"  {who:12} {line}")


def _peak_of_sliding(who: str, path: Path) -> float:
    with av.open(str(path)) as container:
        count = container.streams.video[0].frames
    clips = [list(range(s, s + SPAN, STRIDE)) for s in range(0, count - SPAN + 1, FRAMES)]
    if who == "decord":
        import decord  # noqa: F401  (its own import is not to be counted)
    elif who == "torchcodec":
        import torchcodec.decoders
        import torchcodec.transforms  # noqa: F401
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    _exhaust(SLIDING[who], path, clips if who == "muybridge" else clips[:12])
    return (_status("VmHWM") - before) / 1024


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


# --- files -----------------------------------------------------------------------------------------------------------


def reencode(source: Path, target: Path, *, gop: int) -> Path:
    """A copy by x264 (crf 23, its defaults) with a key frame at least every `gop` frames."""
    with av.open(str(source)) as before, av.open(str(target), "w") as after:
        old = before.streams.video[0]
        new: Any = after.add_stream("libx264", rate=old.average_rate)
        new.width, new.height, new.pix_fmt = old.width, old.height, "yuv420p"
        new.gop_size, new.options = gop, {"crf": "23"}
        for frame in before.decode(old):
            frame.pict_type = 0
            after.mux(new.encode(frame))
        after.mux(new.encode(None))
    return target


def repeat(source: Path, target: Path, seconds: float) -> Path:
    """The source's packets again and again until `seconds` are full."""
    with av.open(str(target), "w") as after:
        offset, new = 0, None
        while True:
            with av.open(str(source)) as before:
                old = before.streams.video[0]
                new = new or after.add_stream_from_template(old)
                length = old.duration
                if offset * old.time_base >= seconds:
                    return target
                for packet in before.demux(old):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = new
                    after.mux(packet)
                offset += length


def _default_video() -> Path:
    return Path(__file__).parents[2] / "shared" / "clips" / "single" / "test.mp4"


# --- measuring and printing ------------------------------------------------------------------------------------------


def _take_turns(
    turns: dict[str, Callable[[], Any]], rounds: int, rng: random.Random
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {who: [] for who in turns}
    for _ in range(rounds):
        for who in rng.sample(list(turns), len(turns)):
            before = time.process_time()
            turns[who]()
            spent[who].append(time.process_time() - before)
    return spent


def _print_head() -> None:
    print(
        f"  {'':18} {'':12} {'CPU ms, median (min..max)':>32} {'times ours, median (min..max)':>32}  difference"
    )


def _print_rows(task: str, spent: dict[str, list[float]], differences: dict[str, float]) -> None:
    for row, (who, times) in enumerate(spent.items()):
        ratios = [t / ours for t, ours in zip(times, spent["muybridge"], strict=True)]
        grey = f"  {differences[who]:.2f} grey levels" if who in differences else ""
        middle = _spread([1000 * t for t in times], ".1f")
        print(f"  {task if row == 0 else '':18} {who:12} {middle:>32} {_spread(ratios, '.2f'):>32}{grey}")


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"


def _bind(run: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: run(*arguments)


def _exhaust(run: Callable[..., Iterator[Any]], path: Path, clips: list[Clip]) -> None:
    for _ in run(path, clips):
        pass


def _cropped(frames: Any) -> Any:
    """Numpy (t, h, w, c), whose short side has to be 256 already."""
    top, left = (frames.shape[1] - SIZE) // 2, (frames.shape[2] - SIZE) // 2
    return frames[:, top : top + SIZE, left : left + SIZE]


def _as_float(frames: Any) -> torch.Tensor:
    frames = torch.as_tensor(frames)
    return (frames if frames.shape[1] == 3 else frames.permute(0, 3, 1, 2)).float()


def _difference(ours: torch.Tensor, theirs: Any) -> float:
    return float((ours - _as_float(theirs)).abs().mean())


if __name__ == "__main__":
    main()
