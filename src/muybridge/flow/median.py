"""Median filtering of planes, by a sorting network: minima and maxima of whole planes, no sorting of pixels.

The window's columns are sorted once for all windows that they are part of. Of each window's sorted columns, the rows
are sorted; then only a band of values can still be the median (13 of 25), and these are sorted by a network of Batcher
1968, "Sorting networks and their applications", https://doi.org/10.1145/1468075.1468121. Comparisons that can't change
anything, and results that nobody asks for, are left out: 5x5 takes 134 minima and maxima per pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

_IN_CACHE = 20_000
"""Values of a plane that are worked on together on the CPU."""

Comparison = tuple[int, int, bool, bool]
"""Two places; whether the smaller is wanted (in the first), and the larger (in the second)."""


def median_filter(planes: Tensor, size: int) -> Tensor:
    """The median of the `size` x `size` neighbourhood of every pixel; beyond the edge, the edge is repeated.

    Args:
        planes: `(n, c, h, w)`.
        size: Odd; 1 changes nothing.

    Returns:
        `(n, c, h, w)`.
    """
    return median_of_padded(size)(F.pad(planes, (size // 2,) * 4, mode="replicate")) if size > 1 else planes


def median_of_padded(size: int) -> Callable[[Tensor], Tensor]:
    """A function from planes that have their edge, `(..., h + size - 1, w + size - 1)`, to medians `(..., h, w)`.

    All that it has to decide is decided here, so a compiler sees nothing but minima and maxima.
    """
    places, sort_column = tuple(range(size)), tuple(_batcher(size))
    comparisons, middle = _network(size)

    def apply(padded: Tensor) -> Tensor:
        height, width = padded.shape[-2] - len(places) + 1, padded.shape[-1] - len(places) + 1
        column = [padded[..., row : row + height, :] for row in places]
        for low, high in sort_column:
            pair = column[low], column[high]
            column[low], column[high] = torch.minimum(*pair), torch.maximum(*pair)
        values = [rank[..., left : left + width] for rank in column for left in places]
        for low, high, want_low, want_high in comparisons:
            pair = values[low], values[high]
            if want_low:
                values[low] = torch.minimum(*pair)
            if want_high:
                values[high] = torch.maximum(*pair)
        return values[middle]

    return apply


def in_bands(median: Callable[[Tensor], Tensor], size: int) -> Callable[[Tensor], Tensor]:
    """What `median_of_padded(size)` gave, for some rows at a time on the CPU, so that the planes stay in its cache."""

    def apply(padded: Tensor) -> Tensor:
        height = padded.shape[-2] - size + 1
        rows = max(_IN_CACHE // (padded.numel() // padded.shape[-2]), 1)
        if padded.device.type != "cpu" or rows >= height:
            return median(padded)
        bands = [
            median(padded[..., top : min(top + rows, height) + size - 1, :]) for top in range(0, height, rows)
        ]
        return torch.cat(bands, -2)

    return apply


@cache
def _network(size: int) -> tuple[tuple[Comparison, ...], int]:
    """What finds the median of a window whose columns are sorted, and where it ends up.

    By the 0-1 principle a network is right for all values if it is for zeros and ones. Sorted columns of those are few:
    `(size + 1) ** size`. Each place holds one bit for each of them, so a comparison is `&` and `|`.
    """
    half = size * size // 2
    ones = list(product(range(size + 1), repeat=size))  # how many ones each column holds
    bits = [
        sum(1 << case for case, counts in enumerate(ones) if row >= size - counts[column])
        for row in range(size)
        for column in range(size)
    ]
    median = sum(1 << case for case, counts in enumerate(ones) if sum(counts) > half)
    rows = [(size * row + a, size * row + b) for row in range(size) for a, b in _batcher(size)]
    # With rows and columns sorted, these have neither too many below them nor too many above.
    band = [
        size * row + column
        for row in range(size)
        for column in range(size)
        if (row + 1) * (column + 1) <= half + 1 and (size - row) * (size - column) <= half + 1
    ]
    useful = []
    for low, high in rows + [(band[a], band[b]) for a, b in _batcher(len(band))]:
        pair = bits[low], bits[high]
        if pair[0] & ~pair[1]:  # the first can be larger
            useful.append((low, high))
            bits[low], bits[high] = pair[0] & pair[1], pair[0] | pair[1]
    middle = bits.index(median)
    wanted, comparisons = {middle}, []
    for low, high in reversed(useful):
        if low in wanted or high in wanted:
            comparisons.append((low, high, low in wanted, high in wanted))
            wanted |= {low, high}
    return tuple(reversed(comparisons)), middle


@cache
def _batcher(count: int) -> list[tuple[int, int]]:
    """Batcher's odd-even merge sort of `count` values: pairs to compare, in order."""
    pairs, part = [], 1
    while part < count:
        gap = part
        while gap:
            for start in range(gap % part, count - gap, 2 * gap):
                for low in range(start, min(start + gap, count - gap)):
                    if low // (2 * part) == (low + gap) // (2 * part):
                        pairs.append((low, low + gap))
            gap //= 2
        part *= 2
    return pairs
