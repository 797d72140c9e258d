"""One way to understand a state dict: whose file it is, which model it fills, and how its keys are renamed.

Everything here is told from key names and shapes alone, so no tensor is touched before it is known where it goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from muybridge.types import ClipSpec

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
Rule = tuple[str, str | Callable[[re.Match[str]], str]]
Edit = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A claim that a file is a certain model of a certain origin; `muybridge.matching` proves it, key by key.

    Attributes:
        origin: Who writes such files, for example `PyTorchVideo`.
        model: Name in `create_model`.
        options: The builder's options beside `num_classes`.
        num_classes: Outputs of the classifier in the file.
        clip: How this origin feeds the model; None if it is the model's own clip.
        labels: Class list that goes with this origin and number of classes, if that is sure; else empty.
        twins: Models with the very same network that are fed otherwise: the keys can't tell them apart.
        rules: Patterns and replacements, applied in order to each key of the file (`re.sub`); the outcome is the
            key of our model. Where the file splits what we keep in one tensor, the outcome ends in `#0`, `#1`, ...
            and the parts are joined along the first axis; where one tensor of the file has two places, the outcome
            names both, parted by `|`.
        edits: Pattern of our key (`re.fullmatch`) -> what to do with the tensor, such as a transposition.
        ignored: Pattern of the file's key (`re.fullmatch`) -> why it is not needed, for the report.
        filled: Pattern of our key (`re.fullmatch`) -> the value that it has everywhere, because the file leaves it
            out.
        inflates: The file is an image network's: its kernels grow along time and its classifier is left out. Such a
            reading counts only if its model is asked for.
        fresh: Pattern of our keys (`re.fullmatch`) that an image network has nothing for, and that start anew.
        note: What a user should know about this origin's files; empty if nothing.
    """

    origin: str
    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    num_classes: int
    clip: ClipSpec | None = None
    labels: str = ""
    twins: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    edits: Mapping[str, Edit] = field(default_factory=dict)
    ignored: Mapping[str, str] = field(default_factory=dict)
    filled: Mapping[str, float] = field(default_factory=dict)
    inflates: bool = False
    fresh: str = r"head\..*"
    note: str = ""

    def targets(self, key: str) -> list[str]:
        """Our names for a key of the file: one, as a rule."""
        for pattern, replacement in self.rules:
            key = re.sub(pattern, replacement, key)
        return key.split("|")


def depths(keys: Collection[str], pattern: str) -> tuple[int, ...]:
    r"""Blocks of each stage, read off key names.

    Args:
        keys: Keys of a file.
        pattern: With two groups, the numbers of the stage and of the block, matched at the start of the key:
            `r"layer(\d)\.(\d+)\."`.

    Returns:
        How many block numbers each stage has, in the order of the stages' numbers.
    """
    seen: dict[int, set[int]] = {}
    for key in keys:
        if match := re.match(pattern, key):
            seen.setdefault(int(match[1]), set()).add(int(match[2]))
    return tuple(len(seen[stage]) for stage in sorted(seen))
