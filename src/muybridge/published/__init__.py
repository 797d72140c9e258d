"""What the field has published: whose files fill which model, and how each is fed.

One file per family of models, beside the family's own in `muybridge.models`. Each holds

- `readings(shapes)`: yields a `Reading` for every way in which a state dict with these keys and shapes could be a
  model of the family, and nothing for the files of other families. It looks at a few telling keys and works out
  options and number of classes from shapes; whether every key fits is proven by `muybridge.matching`.
- `WEIGHTS`: the published files of the family.

Nothing here imports torch: the names are listed in no time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module, resources
from types import ModuleType

from muybridge.published._reading import Reading, Shapes, depths
from muybridge.types import Weights

__all__ = ["Reading", "Shapes", "depths", "find_weights", "list_weights", "readings"]


def readings(shapes: Shapes) -> Iterator[Reading]:
    """Every way in which a state dict could be one of our models."""
    for family in _families():
        yield from family.readings(shapes)


def list_weights(pattern: str = "*") -> list[Weights]:
    """Published weights, sorted by name.

    Args:
        pattern: A shell pattern such as `*slow*`.
    """
    found = [weights for family in _families() for weights in family.WEIGHTS]
    return sorted((w for w in found if fnmatchcase(w.name, pattern)), key=lambda w: w.name)


def find_weights(name: str) -> Weights:
    """Published weights by their name or its beginning: of a model alone, its Kinetics-400 ones or its only ones.

    Raises:
        ValueError: No such weights.
    """
    every = {weights.name: weights for weights in list_weights()}
    if name in every:
        return every[name]
    begun = [weights for weights in every.values() if weights.name.startswith(f"{name}.")]
    if len(begun) == 1:
        return begun[0]
    if begun:
        if f"{name}.k400" in every:
            return every[f"{name}.k400"]
        raise ValueError(
            f"several weights are published for {name}; say which: {', '.join(w.name for w in begun)}"
        )
    near = difflib.get_close_matches(name, every, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`muybridge models --weights` lists them"
    raise ValueError(f"no published weights {name!r}; {hint}")


@cache
def _families() -> tuple[ModuleType, ...]:
    package = __package__ or "muybridge.published"
    names = sorted(
        file.name.removesuffix(".py")
        for file in resources.files(package).iterdir()
        if file.name.endswith(".py") and not file.name.startswith("_")
    )
    return tuple(import_module(f"{package}.{name}") for name in names)
