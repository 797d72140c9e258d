"""A model without memory: all its shapes, none of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from muybridge.models._blocks import ClipModel
from muybridge.models._table import create_model


def outline(name: str, *, num_classes: int = 400, **options: Any) -> ClipModel:
    """Build a model on the meta device, to look at its shapes or to be filled by `load_state_dict(..., assign=True)`.

    Takes and raises what `create_model` does.
    """
    with torch.device("meta"), _Unfilled():
        return create_model(name, num_classes=num_classes, **options)


class _Unfilled(TorchFunctionMode):
    """Leaves initialisers out: on the meta device they change nothing, but load 150 MB of torch, for a second."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", "") == "torch.nn.init" or func in (
            torch.Tensor.normal_,
            torch.Tensor.uniform_,
        ):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
