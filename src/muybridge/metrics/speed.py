"""How fast a network answers, measured while it works."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """How many clips go through a network in a second: forward passes alone, no decoding.

    Attributes:
        clips_per_second: Of one crop each, at the median pass.
        batch: Clips per pass.
        passes: Passes that were measured; the first of all, which warms up, is not among them.
        device: Where it ran, by name.
        threads: Threads of the CPU.
    """

    clips_per_second: float
    batch: int
    passes: int
    device: str
    threads: int

    def describe(self) -> str:
        """A line for people."""
        where = f"{self.device}, {self.threads} threads" if self.threads > 1 else f"{self.device}, 1 thread"
        rate = (
            f"{self.clips_per_second:,.0f}"
            if self.clips_per_second >= 100
            else f"{self.clips_per_second:.3g}"
        )
        return f"{rate} clips per second (batches of {self.batch}, {where})"


@dataclass
class Stopwatch:
    """Passes of a network while `timed`: clips and seconds of each."""

    device: torch.device
    passes: list[tuple[int, float]] = field(default_factory=list)

    def throughput(self) -> Throughput | None:
        """The commonest batch size counts; None if less than one pass of it is left after warming up."""
        warm = self.passes[1:]
        if not warm:
            return None
        batch, count = Counter(clips for clips, _ in warm).most_common(1)[0]
        return Throughput(
            clips_per_second=batch / median(seconds for clips, seconds in warm if clips == batch),
            batch=batch,
            passes=count,
            device=device_name(self.device),
            threads=torch.get_num_threads(),
        )


@contextmanager
def timed(model: nn.Module) -> Iterator[Stopwatch]:
    """Measure every forward pass of a network as long as the block lasts.

    Args:
        model: Clips `(b, c, t, h, w)` to anything; read where it lies (CPU or GPU).
    """
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    watch = Stopwatch(device)
    began: list[float] = []

    def start(module: nn.Module, given: tuple[Any, ...]) -> None:
        began.append(_now(device))

    def stop(module: nn.Module, given: tuple[Tensor, ...], answer: Any) -> None:
        watch.passes.append((len(given[0]), _now(device) - began.pop()))

    hooks = (model.register_forward_pre_hook(start), model.register_forward_hook(stop))
    try:
        yield watch
    finally:
        for hook in hooks:
            hook.remove()


def device_name(device: torch.device) -> str:
    """What a person calls it: the GPU's name, or the processor's."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (
        next(iter(names), platform.processor() or platform.machine()) if device.type == "cpu" else str(device)
    )


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # a GPU answers before it has worked
    return time.perf_counter()
