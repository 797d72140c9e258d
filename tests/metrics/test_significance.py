"""Intervals and tests against published examples and closed forms."""

from __future__ import annotations

import pytest
import torch

from muybridge.metrics.significance import map_difference, mcnemar, top1_difference, wilson


@pytest.mark.parametrize(
    ("right", "total", "low", "high"),
    [
        # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_newcombes_table(right: int, total: int, low: float, high: float) -> None:
    assert wilson(right, total) == pytest.approx((low, high), abs=6e-5)


def test_wilson_is_the_same_seen_from_the_other_side() -> None:
    low, high = wilson(20, 20)
    assert high == 1.0
    assert low == pytest.approx(1 - 0.1611, abs=6e-5)
    with pytest.raises(ValueError, match="no videos"):
        wilson(0, 0)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 2**5),
        (1, 9, 2 * (1 + 10) / 2**10),
        (9, 1, 2 * (1 + 10) / 2**10),
    ],
)
def test_mcnemar_is_the_binomial_tail(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p)


def test_mcnemar_of_thousands_of_videos() -> None:
    # The normal approximation with continuity correction: z = (|b - c| - 1) / sqrt(b + c) = 219 / 70.85 = 3.091.
    assert mcnemar(2400, 2620) == pytest.approx(0.00200, rel=0.03)


def test_a_difference_of_top1_lies_where_the_normal_law_puts_it() -> None:
    # 1000 videos, 40 right in the first only, 70 in the second only: 3 points, se = sqrt(110 - 0.9) / 1000.
    low, high = top1_difference(40, 70, 1000)
    reach = 1.96 * (110 - 30**2 / 1000) ** 0.5 / 1000
    assert low == pytest.approx(0.03 - reach, abs=0.0015)
    assert high == pytest.approx(0.03 + reach, abs=0.0015)
    assert top1_difference(0, 0, 50) == (0.0, 0.0)
    assert top1_difference(40, 70, 1000) == (low, high)


def test_a_difference_of_map_holds_the_truth_and_is_nothing_for_the_same_scores() -> None:
    generator = torch.Generator().manual_seed(1)
    targets = (torch.rand(80, 4, generator=generator) < 0.3).float()
    noise = torch.rand(80, 4, generator=generator)
    assert map_difference(noise, noise, targets) == (0.0, 0.0)
    low, high = map_difference(noise, targets + 0.1 * noise, targets)  # the second is never wrong
    assert 0.3 < low < high < 0.8
