"""Networks for clips of video: they know tensors only, and every one keeps the contract of `ClipModel`.

>>> from muybridge.models import create_model, list_models
>>> list_models("*slow*")
['slowfast_r50_8x8']
>>> model = create_model("r3d_18", num_classes=5)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from muybridge.models._table import ModelInfo, create_model, list_models, model, model_info

if TYPE_CHECKING:
    from muybridge.models._blocks import ClipModel
    from muybridge.models._outline import outline

__all__ = ["ClipModel", "ModelInfo", "create_model", "list_models", "model", "model_info", "outline"]


def __getattr__(name: str) -> Any:
    # These need torch, whose import takes longer than the whole of `muybridge models`.
    if name == "ClipModel":
        from muybridge.models._blocks import ClipModel

        return ClipModel
    if name == "outline":
        from muybridge.models._outline import outline

        return outline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
