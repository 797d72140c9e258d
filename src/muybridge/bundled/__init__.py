"""Small models that come with the package, so that there is something to recognize with at once.

They were trained on the package's own films (`muybridge.data.figures`) by `make bundled`. A file's name is the name of
its weights; each is a model file that describes itself (`muybridge.model_file`).
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def list_bundled() -> list[str]:
    """Their names, sorted."""
    return sorted(file.name.removesuffix(".safetensors") for file in _HERE.glob("*.safetensors"))


def bundled_path(name: str) -> Path | None:
    """Where the weights of that name lie; None if none of that name come with the package."""
    return _HERE / f"{name}.safetensors" if name in list_bundled() else None
