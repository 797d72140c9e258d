"""Optical flow: how right and how fast TV-L1 is beside OpenCV's, and what the other methods cost.

    pip install -e .[flow]
    python benchmarks/flow.py                      # the truth, then three real clips
    python benchmarks/flow.py a.mp4 b.mp4          # the truth, then these
    python benchmarks/flow.py --device cuda        # on a GPU, with the part of its memory's bandwidth that is reached

Accuracy: end-point error on pairs whose flow is known exactly (`muybridge.flow.truth`), and on real pairs the mean
difference of the pictures after warping (grey levels) and how far ours is from OpenCV's (pixels).

Speed: real pairs at 340x256. Both sides have the same settings and the same rule to stop. On the CPU each has one
thread; CPU time of the process is measured, so that a busy machine does not disturb it much, and the contenders take
turns in random order. Compiling is measured by itself. On a GPU many pairs go at once, and the clock on the wall is
measured.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from muybridge.flow import angular_error, end_point_error, flow_between, open_method, photometric_error
from muybridge.flow.truth import MOTIONS, make_pairs
from muybridge.video import Video

SIZE = (256, 340)
PLANES = 22
"""Planes that an inner iteration reads or writes in two passes, if nothing stays in a cache (`fusible_iterations`)."""
OPERATIONS = 48
"""Additions, multiplications, roots and divisions of an inner iteration per pixel."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="*", default=_default_videos())
    parser.add_argument("--pairs", type=int, default=3, help="pairs of each video")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3, help="textures per motion")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--at-once", type=int, default=128, help="pairs that go to the GPU at once")
    parser.add_argument("--bandwidth", type=float, default=4.8, help="of the GPU's memory, TB/s (H200: 4.8)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    _one_thread()
    rng = random.Random(arguments.seed)
    compare_with_truth(arguments.seeds)
    pairs = {path.name: read_pairs(path, arguments.pairs) for path in arguments.videos}
    if arguments.device == "cpu":
        compare_on_cpu(pairs, arguments.rounds, rng)
    else:
        measure_gpu(pairs, arguments.device, arguments.at_once, arguments.rounds, 1e12 * arguments.bandwidth)


def compare_with_truth(seeds: int) -> None:
    """Errors where the first picture is still visible in the second, mean over textures."""
    pairs = make_pairs(seeds=seeds)
    first, second, truth, visible = (
        torch.stack([getattr(pair, name) for pair in pairs])
        for name in ("first", "second", "flow", "visible")
    )
    print(
        f"end-point error in pixels on known flow, {seeds} textures each; and mean angular error in degrees"
    )
    print(f"  {'':12}" + "".join(f"{motion:>12}" for motion in MOTIONS) + f"{'mean':>12}{'angle':>12}")
    for method in ("tvl1", "opencv_tvl1", "farneback", "dis"):
        found = flow_between(first, second, method=method)
        errors = end_point_error(found, truth, visible)
        by_motion = errors.view(-1, seeds).mean(1).tolist()
        angle = angular_error(found, truth, visible).mean().item()
        cells = [*by_motion, errors.mean().item()]
        print(f"  {method:12}" + "".join(f"{cell:12.3f}" for cell in cells) + f"{angle:12.2f}", flush=True)


def compare_on_cpu(
    pairs: dict[str, tuple[Tensor, Tensor]], rounds: int, rng: random.Random
) -> dict[str, float]:
    """CPU seconds per pair, and how good the answers are."""
    makers = {
        "opencv_tvl1": open_method("opencv_tvl1"),
        "tvl1 compiled": open_method("tvl1", compiled=True),
        "tvl1 plain": open_method("tvl1", compiled=False),
        "farneback": open_method("farneback"),
        "dis": open_method("dis"),
    }
    before = time.perf_counter()
    some = next(iter(pairs.values()))
    makers["tvl1 compiled"](some[0][:1], some[1][:1])
    print(
        f"\ncompiling, once per process: {time.perf_counter() - before:.0f} s on the wall (less from PyTorch's cache)"
    )
    print(f"\nreal pairs at {SIZE[1]}x{SIZE[0]}, CPU, one thread")
    print(
        f"  {'':22} {'':14} {'CPU ms per pair, median (min..max)':>36} {'OpenCV takes times':>24} "
        f"{'photometric':>12} {'px to OpenCV':>13}"
    )
    for name, (first, second) in pairs.items():
        turns = {who: _bind(maker, first, second) for who, maker in makers.items()}
        spent, answers = _take_turns(turns, rounds, rng)
        for row, who in enumerate(makers):
            each = [1000 * t / len(first) for t in spent[who]]
            ratios = [o / t for o, t in zip(spent["opencv_tvl1"], spent[who], strict=True)]
            light = photometric_error(first, second, answers[who]).mean().item()
            off = end_point_error(answers[who], answers["opencv_tvl1"]).mean().item()
            print(
                f"  {name if row == 0 else '':22} {who:14} {_spread(each, '.0f'):>36} {_spread(ratios, '.2f'):>24} "
                f"{light:12.3f} {off:13.3f}",
                flush=True,
            )
        _, moved = _counted(makers["tvl1 plain"], first, second)
        steps = moved / PLANES / 4 / len(first)
        rate = 1e-9 * len(first) / statistics.median(spent["tvl1 compiled"])
        print(
            f"  {'':22} inner iterations: {steps / 1e6:.0f} M pixels per pair, {OPERATIONS * steps / 1e9:.1f} GFLOP, "
            f"{moved / len(first) / 1e9:.1f} GB through the memory if nothing stays in a cache; "
            f"compiled {OPERATIONS * steps * rate:.0f} GFLOP/s and {moved / len(first) * rate:.0f} GB/s; "
            f"this core copies {_copied():.0f} GB/s",
            flush=True,
        )


def _copied() -> float:
    """GB/s that a copy of pictures far larger than a cache reads and writes."""
    from_, to = torch.ones(2, 1 << 27, dtype=torch.float32).unbind()
    spent = []
    for _ in range(5):
        before = time.perf_counter()
        to.copy_(from_)
        spent.append(time.perf_counter() - before)
    return 8 * len(to) / 1e9 / min(spent)


def measure_gpu(
    pairs: dict[str, tuple[Tensor, Tensor]], device: str, at_once: int, rounds: int, bandwidth: float
) -> None:
    """Seconds on the wall per pair of a full batch, beside one CPU core with OpenCV."""
    print(
        f"\nreal pairs at {SIZE[1]}x{SIZE[0]}, {torch.cuda.get_device_name(device)}, {at_once} pairs at once"
    )
    for name, (first, second) in pairs.items():
        before = time.process_time()
        theirs = open_method("opencv_tvl1")(first, second)
        opencv = (time.process_time() - before) / len(first)
        repeats = -(-at_once // len(first))
        one, two = (x.repeat(repeats, 1, 1, 1)[:at_once].to(device) for x in (first, second))
        for compiled in (False, True):
            maker = open_method("tvl1", compiled=compiled, chunk=at_once)
            found, bytes_moved = _counted(maker, one, two)
            spent = []
            for _ in range(rounds):
                torch.cuda.synchronize(device)
                start = time.perf_counter()
                maker(one, two)
                torch.cuda.synchronize(device)
                spent.append(time.perf_counter() - start)
            each = [1000 * t / at_once for t in spent]
            off = end_point_error(found[: len(first)].cpu(), theirs).mean().item()
            print(
                f"  {name:22} {'compiled' if compiled else 'plain':9} {_spread(each, '.2f'):>24} ms per pair, "
                f"{1000 * opencv / statistics.median(each):6.0f} times OpenCV on a core ({1000 * opencv:.0f} ms), "
                f"{100 * bytes_moved / statistics.median(spent) / bandwidth:.0f} % of the bandwidth, "
                f"{off:.3f} px to OpenCV",
                flush=True,
            )
        print(f"  {'':22} peak memory {torch.cuda.max_memory_allocated(device) / 1e9:.1f} GB")


def _counted(maker: Any, first: Tensor, second: Tensor) -> tuple[Tensor, int]:
    """The flow, and the bytes that its inner iterations must move at least."""
    tvl1: Any = maker._estimate
    inner, moved = tvl1.iterate, 0

    def counting(state: Tensor, data: Tensor) -> Any:
        nonlocal moved
        moved += tvl1.settings.steps * PLANES * state[0].numel() * state.element_size()
        return inner(state, data)

    counting.count, counting.ready = inner.count, inner.ready  # type: ignore[attr-defined]
    tvl1.iterate = counting
    found = maker(first, second)
    tvl1.iterate = inner
    return found, moved


def read_pairs(path: Path, count: int) -> tuple[Tensor, Tensor]:
    """Neighbouring frames, spread evenly over a video, grey and 340x256."""
    with Video(path) as video:
        starts = [int((k + 0.5) * (len(video) - 1) / count) for k in range(count)]
        frames = video.frames([n for start in starts for n in (start, start + 1)])
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    grey = (frames.float() * weights).sum(1, keepdim=True)
    grey = torch.nn.functional.interpolate(grey, size=SIZE, mode="bilinear", antialias=True)
    grey = grey.round().clamp(0, 255).byte()
    return grey[0::2], grey[1::2]


def _default_videos() -> list[Path]:
    folder = Path(__file__).parents[2] / "shared" / "clips" / "single"
    return sorted(folder.glob("*.mp4"))[:3]


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _take_turns(
    turns: dict[str, Callable[[], Tensor]], rounds: int, rng: random.Random
) -> tuple[dict[str, list[float]], dict[str, Tensor]]:
    spent: dict[str, list[float]] = {who: [] for who in turns}
    answers: dict[str, Tensor] = {}
    for _ in range(rounds):
        for who in rng.sample(list(turns), len(turns)):
            before = time.process_time()
            answers[who] = turns[who]()
            spent[who].append(time.process_time() - before)
    return spent, answers


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}}..{max(values):{form}})"


def _bind(run: Callable[..., Tensor], *arguments: Any) -> Callable[[], Tensor]:
    return lambda: run(*arguments)


if __name__ == "__main__":
    main()
