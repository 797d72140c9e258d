from __future__ import annotations

import pytest
import torch
from torch import nn

from muybridge.metrics import speed
from muybridge.metrics.speed import device_name, timed


def test_clips_per_second_at_the_median_pass_without_warming_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Passes of 9 s (warming up), 2 s, 4 s, 3 s with eight clips, and one of 1 s with two.
    clock = iter([0, 9, 10, 12, 20, 24, 30, 33, 40, 41])
    monkeypatch.setattr(speed, "_now", lambda device: float(next(clock)))
    model = nn.Linear(3, 2)
    with timed(model) as watch:
        for clips in (8, 8, 8, 8, 2):
            model(torch.zeros(clips, 3))
    measured = watch.throughput()
    assert measured is not None
    assert (measured.clips_per_second, measured.batch, measured.passes) == (8 / 3, 8, 3)
    assert measured.threads == torch.get_num_threads()
    assert measured.device == device_name(torch.device("cpu"))
    assert "2.67 clips per second (batches of 8" in measured.describe()
    model(torch.zeros(1, 3))  # no longer measured: the clock has run out


def test_one_pass_says_nothing() -> None:
    model = nn.Linear(3, 2)
    with timed(model) as watch:
        model(torch.zeros(4, 3))
    assert watch.throughput() is None
