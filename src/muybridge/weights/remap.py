"""Tensors under a peer's names become tensors under ours, each used once or named in the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from muybridge.published import Reading
from muybridge.types import WeightsError


@dataclass(frozen=True, kw_only=True)
class Remapped:
    """What became of a file's keys.

    Attributes:
        used: The file's key -> our key (the first, if it has two places).
        ignored: The file's key -> why it is not needed.
        filled: Our keys that the file leaves out and whose value is known.
        unknown: Keys of the file for which our model has no place.
        missing: Our keys that nothing in the file fills.
        misshapen: Our key -> (shape in the file, shape in our model).
    """

    used: Mapping[str, str]
    ignored: Mapping[str, str]
    filled: tuple[str, ...]
    unknown: tuple[str, ...]
    missing: tuple[str, ...]
    misshapen: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def is_complete(self) -> bool:
        """Every key of the file has its place or its reason, and every key of ours its value."""
        return not (self.unknown or self.missing or self.misshapen)


def remap(
    state: dict[str, Tensor], wanted: Mapping[str, Tensor], reading: Reading
) -> tuple[dict[str, Tensor], Remapped]:
    """Rename, edit and join the tensors of a file.

    Args:
        state: The file's tensors; emptied on the way, so that nothing is held twice. On the meta device only shapes
            are worked out.
        wanted: Our model's state dict; only shapes and types of number are looked at.
        reading: How the file's keys become ours.

    Returns:
        Tensors under our keys, in our types of number, and what became of each key.
    """
    parts, used, ignored, unknown = _placed(state, wanted, reading)
    renamed, misshapen = _shaped(parts, wanted, reading)
    filled, missing = _fill(renamed, {k: v for k, v in wanted.items() if k not in misshapen}, reading)
    return renamed, Remapped(
        used=used,
        ignored=ignored,
        filled=tuple(filled),
        unknown=tuple(unknown),
        missing=tuple(missing),
        misshapen=misshapen,
    )


def _placed(
    state: dict[str, Tensor], wanted: Mapping[str, Tensor], reading: Reading
) -> tuple[dict[str, dict[int, Tensor]], dict[str, str], dict[str, str], list[str]]:
    """Our key -> its parts; then used, ignored and unknown keys of the file."""
    parts: dict[str, dict[int, Tensor]] = {}
    used: dict[str, str] = {}
    ignored: dict[str, str] = {}
    unknown: list[str] = []
    for key in list(state):
        tensor = state.pop(key)
        if reason := _first(reading.ignored, key):
            ignored[key] = reason
            continue
        targets = [place.partition("#")[::2] for place in reading.targets(key)]
        if any(target not in wanted or int(part or 0) in parts.get(target, {}) for target, part in targets):
            unknown.append(key)
            continue
        for number, (target, part) in enumerate(targets):
            # Two places must not share memory, or training one would change the other.
            parts.setdefault(target, {})[int(part or 0)] = tensor.clone() if number else tensor
        used[key] = targets[0][0]
    return parts, used, ignored, unknown


def _shaped(
    parts: dict[str, dict[int, Tensor]], wanted: Mapping[str, Tensor], reading: Reading
) -> tuple[dict[str, Tensor], dict[str, tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Joined, edited, grown and in our type of number; and what has another shape then."""
    renamed: dict[str, Tensor] = {}
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for target in list(parts):
        pieces = parts.pop(target)
        tensor = pieces[0] if list(pieces) == [0] else torch.cat([pieces[i] for i in sorted(pieces)])
        if edit := _first(reading.edits, target):
            tensor = edit(tensor)
        model = wanted[target]
        if reading.inflates:
            tensor = inflate(tensor, model.shape)
        if tensor.shape == model.shape:
            renamed[target] = tensor.to(model.dtype)
        else:
            misshapen[target] = (tuple(tensor.shape), tuple(model.shape))
    return renamed, misshapen


def _fill(
    renamed: dict[str, Tensor], wanted: Mapping[str, Tensor], reading: Reading
) -> tuple[list[str], list[str]]:
    """Add what the file leaves out and whose value is known; tell which that was, and what is still missing."""
    filled: list[str] = []
    missing: list[str] = []
    device = next(iter(renamed.values())).device if renamed else None
    for target, model in wanted.items():
        if target in renamed:
            continue
        value = _first(reading.filled, target)
        if value is not None:
            filled.append(target)
        elif target.endswith("num_batches_tracked"):
            value = 0  # counted only since PyTorch 0.4.1, and not used in evaluation
        else:
            # What an image network has nothing for, the classifier at least, stays as the model made it.
            if not (reading.inflates and re.fullmatch(reading.fresh, target)):
                missing.append(target)
            continue
        renamed[target] = torch.full(model.shape, value, dtype=model.dtype, device=device)
    return filled, missing


def inflate(kernel: Tensor, shape: Sequence[int]) -> Tensor:
    """Grow an image network's kernel so that a video that stands still gives the image's activations.

    Repeated along time and divided by the repetitions: Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?",
    https://arxiv.org/abs/1705.07750. Where the channels in differ (flow, stacks of frames), see `spread`.

    Args:
        kernel: `(out, in, h, w)`; tensors of another rank are returned as they are.
        shape: What it shall become: `(out, in, t, h, w)`, or `(out, in, h, w)` if only the channels differ.
    """
    if kernel.ndim != 4:
        return kernel
    if len(shape) == 5:
        kernel = kernel.unsqueeze(2).expand(-1, -1, shape[2], -1, -1) / shape[2]
    if shape[1] != kernel.shape[1]:
        kernel = spread(kernel, shape[1])
    return kernel.contiguous()


def spread(kernel: Tensor, channels: int) -> Tensor:
    """Give a kernel other channels in, each with the mean of those it had: what it saw in colours it sees in flow.

    The cross-modality initialisation of Wang et al. 2016, https://arxiv.org/abs/1608.00859.

    Args:
        kernel: `(out, in, ...)`.
        channels: How many there shall be.
    """
    return kernel.mean(1, keepdim=True).expand(-1, channels, *kernel.shape[2:]).contiguous()


def cross_modality(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a network that sees RGB for the same network with other channels in, such as flow.

    A network of two streams takes them for both, where its keys are theirs behind `rgb.` and `flow.`.

    Args:
        state: Ours, of the one that sees RGB.
        wanted: Of the other; only shapes are looked at.

    Raises:
        WeightsError: They are not the same network but for its first convolution.
    """
    found: dict[str, Tensor] = {}
    for key, model in wanted.items():
        kernel = state.get(key, state.get(re.sub(r"^(rgb|flow)\.", "", key)))
        if kernel is not None and kernel.ndim > 3 and kernel.shape[1] != model.shape[1]:
            kernel = spread(kernel, model.shape[1])
        if kernel is None or kernel.shape != model.shape:
            what = "nothing" if kernel is None else f"{tuple(kernel.shape)}"
            raise WeightsError(
                f"{key} is {tuple(model.shape)}, and the weights to start from have {what} for it"
            )
        found[key] = (
            kernel.clone()
        )  # two streams must not share memory, or training one would change the other
    return found


def _first(patterns: Mapping[str, Any], key: str) -> Any:
    return next((value for pattern, value in patterns.items() if re.fullmatch(pattern, key)), None)
