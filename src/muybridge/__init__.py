"""What happens in a video, when, and who does it where.

    import muybridge as mb

    model = mb.load("model.safetensors")
    result = model.recognize("clip.mp4")
    result.top(5)
    result.save("out.mp4")

Names are imported when they are first used, so `import muybridge` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "ClipSpec": "types",
    "Score": "types",
    "VideoError": "types",
    "WeightsError": "types",
    "Window": "types",
    "Recognition": "results",
    "Recognizer": "predict",
    "TwoStreams": "predict",
    "load": "predict",
    "open_checkpoint": "checkpoints",
    "identify": "matching",
    "Video": "video",
    "create_model": "models",
    "list_models": "models",
    "list_weights": "published",
}

__all__ = [
    "ClipSpec",
    "Recognition",
    "Recognizer",
    "Score",
    "TwoStreams",
    "Video",
    "VideoError",
    "WeightsError",
    "Window",
    "__version__",
    "create_model",
    "identify",
    "list_models",
    "list_weights",
    "load",
    "open_checkpoint",
]

if TYPE_CHECKING:
    from muybridge.checkpoints import open_checkpoint
    from muybridge.matching import identify
    from muybridge.models import create_model, list_models
    from muybridge.predict import Recognizer, TwoStreams, load
    from muybridge.published import list_weights
    from muybridge.results import Recognition
    from muybridge.types import ClipSpec, Score, VideoError, WeightsError, Window
    from muybridge.video import Video


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"muybridge.{_HOME[name]}"), name)
    raise AttributeError(f"module 'muybridge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
