"""Tensors that stay where they lie in a file until somebody touches them.

Every reader of this room describes what it finds as `Stored`: a type of number, a shape and a piece of the mapped file.
Describing costs nothing, whatever a file claims; only what is asked for becomes a tensor, and that tensor's numbers
come from the disk when they are first used. So a training run's optimizer state is never loaded, and weights are never
held twice.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

_MOST_AXES = 32


def map_file(path: Path) -> memoryview:
    """A file's bytes, mapped: private and writable, so that a tensor on top of them may be changed in memory.

    Raises:
        OSError: It can't be opened.
        ValueError: It is empty.
    """
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


@dataclass(eq=False)
class Storage:
    """Numbers in a row, which one or several tensors look at.

    Attributes:
        dtype: Their type.
        numel: How many.
        data: Where they lie; None as long as that isn't known.
        swapped: They are big-endian.
    """

    dtype: torch.dtype
    numel: int
    data: memoryview | None = None
    swapped: bool = False


@dataclass(eq=False)
class Stored:
    """A tensor or an array that has not been made yet.

    Attributes:
        storage: Its numbers.
        shape: Its shape.
        stride: Distance between neighbours along each axis, in numbers.
        offset: Its first number.
    """

    storage: Storage
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int = 0

    def check(self, limit: int) -> None:
        """Refuse what can't be.

        Args:
            limit: Bytes that it may claim at most: a view that repeats one number can claim any shape.

        Raises:
            ValueError: Negative or fractional sizes, numbers outside of the storage, or a claim over the limit.
        """
        shape, _ = sizes(self.shape), sizes((*self.stride, self.offset))
        if len(shape) != len(self.stride):
            raise ValueError(f"a tensor with {len(shape)} axes and {len(self.stride)} strides")
        claimed = math.prod(shape) * self.storage.dtype.itemsize
        if claimed > limit or self._end() > self.storage.numel:
            raise ValueError(f"a tensor of shape {_show(shape)}, more than there is")

    def tensor(self) -> Tensor:
        """The tensor: over the file's own bytes, or a copy if they are unaligned or big-endian."""
        storage, size = self.storage, self.storage.dtype.itemsize
        if 0 in self.shape or storage.data is None:
            return torch.empty(self.shape, dtype=storage.dtype)
        piece = storage.data[self.offset * size : self._end() * size]
        flat = torch.frombuffer(bytearray(piece) if piece.readonly else piece, dtype=torch.uint8)
        if storage.swapped:
            flat = flat.reshape(-1, size).flip(1).reshape(-1)
        elif flat.data_ptr() % size:
            flat = flat.clone()
        return flat.view(storage.dtype).as_strided(self.shape, self.stride)

    def _end(self) -> int:
        """One past the last number, in numbers of the storage."""
        if 0 in self.shape:
            return self.offset
        steps = sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        return self.offset + steps + 1


def sizes(values: Any) -> tuple[int, ...]:
    """A shape or strides out of a file, if they can be one.

    Raises:
        ValueError: Not whole numbers of 0 or more, or too many of them.
    """
    if not isinstance(values, (tuple, list)) or len(values) > _MOST_AXES + 1:
        raise ValueError("a tensor whose sizes are not a few numbers")
    if not all(type(size) is int and size >= 0 for size in values):
        raise ValueError(f"a tensor with sizes {_show(values)}")
    return tuple(values)


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a tensor whose last axis runs fastest."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


def printable(value: object, letters: int = 60) -> str:
    """Text out of a file, fit for a message: one short line without control characters."""
    text = str(value)
    return "".join(c if c.isprintable() else "?" for c in text[:letters]) + "..." * (len(text) > letters)


def _show(numbers: Sequence[object]) -> str:
    return f"({', '.join(str(n)[:20] for n in numbers[:6])}{', ...' if len(numbers) > 6 else ''})"
