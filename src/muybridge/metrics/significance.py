"""How sure a figure is: intervals of shares and of differences, and whether two runs differ at all.

All of it takes videos for independent. Clips cut from one film are not; the truth is then less sure than what is
computed here.
"""

from __future__ import annotations

from math import comb, sqrt
from typing import NamedTuple

import numpy as np
import torch

from muybridge.metrics.multi_label import Ranked

_Z95 = 1.959963984540054
"""97.5% of a normal distribution lie below."""

RESAMPLES = 500
"""Draws for a difference of mAP: a second or two for a hundred classes; 95% bounds ask for no more."""


class Interval(NamedTuple):
    """Where the true figure lies in 95 of 100 such measurements."""

    low: float
    high: float


def wilson(right: int, total: int) -> Interval:
    """95% interval of a share, by Wilson's score (1927, https://doi.org/10.1080/01621459.1927.10502953).

    Unlike plus or minus two standard errors it holds for few videos, and for shares near 0 and 1.

    Args:
        right: Successes.
        total: Trials.

    Raises:
        ValueError: No trials.
    """
    if total <= 0:
        raise ValueError("no videos to measure on")
    share, squared = right / total, _Z95**2 / total
    centre = (share + squared / 2) / (1 + squared)
    reach = _Z95 * sqrt(share * (1 - share) / total + squared / (4 * total)) / (1 + squared)
    # At the ends the exact bounds are 0 and 1; rounding must not leave a share outside its interval.
    return Interval(0.0 if right == 0 else centre - reach, 1.0 if right == total else centre + reach)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value that two runs are equally often right, given that they saw the same videos.

    The exact test (McNemar 1947, https://doi.org/10.1007/BF02295996, with the binomial distribution): of the videos
    that only one of them got right, each had half of them.

    Args:
        only_first: Videos that only the first run got right.
        only_second: Videos that only the second got right.
    """
    odd = only_first + only_second
    tail = sum(comb(odd, n) for n in range(min(only_first, only_second) + 1))
    # Whole numbers until the last: 0.5**odd is nothing beyond a thousand videos.
    return min(1.0, float(2 * tail / 2**odd))


def top1_difference(only_first: int, only_second: int, videos: int) -> Interval:
    """95% interval of second minus first top-1 on the same videos (0..1), by bootstrap over videos.

    Drawing videos anew changes three counts: right in one run only, or in both or none. So these are drawn, with a
    fixed seed.

    Raises:
        ValueError: No videos.
    """
    if videos <= 0:
        raise ValueError("no videos to measure on")
    odd = np.array([only_first, only_second]) / videos
    shares = np.array([*odd, max(0.0, 1.0 - odd.sum())])
    drawn = np.random.default_rng(0).multinomial(videos, shares / shares.sum(), 10_000)
    low, high = np.percentile((drawn[:, 1] - drawn[:, 0]) / videos, (2.5, 97.5))
    return Interval(float(low), float(high))


def map_difference(first: torch.Tensor, second: torch.Tensor, targets: torch.Tensor) -> Interval:
    """95% interval of second minus first mean average precision on the same videos (0..1), by bootstrap.

    Args:
        first: Scores of the first run, `(n, k)`.
        second: Those of the second.
        targets: 0 or 1, `(n, k)`.
    """
    one, two = Ranked.of(first, targets), Ranked.of(second, targets)
    videos = len(targets)
    generator = np.random.default_rng(0)
    differences = []
    for _ in range(RESAMPLES):
        weights = torch.from_numpy(generator.multinomial(videos, np.full(videos, 1 / videos)))
        gain = two.average_precisions(weights) - one.average_precisions(weights)
        # Classes that a draw leaves without positives are NaN in both.
        differences.append(float(gain.nanmean()))
    low, high = np.nanpercentile(differences, (2.5, 97.5))
    return Interval(float(low), float(high))
