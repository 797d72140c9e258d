"""A trained model in one file: weights, labels, clip and how it came to be, in safetensors.

The file is self-describing: `load_model` needs nothing beside it. No code is ever executed by reading it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from muybridge.files import appearing
from muybridge.models import ClipModel, outline
from muybridge.types import ClipSpec, WeightsError

FORMAT = 1
_KEY = "muybridge"


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """A model with what it needs to be used.

    Attributes:
        model: The network, in eval mode, on the CPU.
        name: Its name in `create_model`.
        options: The builder's options beside `num_classes`.
        labels: One label per output, in order (`k`).
        clip: How it wants to be fed.
        multi_label: Whether labels don't exclude each other: each output has a probability of its own (sigmoid)
            rather than a share of one (softmax).
        facts: How it was trained: data, recipe, scores, versions.
        origin: Who wrote the file: `muybridge`, or a project whose files are known to `muybridge.published`.
        report: What was recognized in the file, and what became of its keys.
        notes: What a user should know before believing an answer, a sentence each: what the file leaves open and was
            assumed.
    """

    model: ClipModel
    name: str
    options: Mapping[str, Any]
    labels: tuple[str, ...]
    clip: ClipSpec
    multi_label: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "muybridge"
    report: str = ""
    notes: tuple[str, ...] = ()


def save_model(
    path: str | Path,
    model: ClipModel,
    *,
    name: str,
    options: Mapping[str, Any],
    labels: Sequence[str],
    clip: ClipSpec,
    facts: Mapping[str, Any],
    multi_label: bool = False,
) -> Path:
    """Write a model as one `.safetensors` file that describes itself.

    Args:
        path: Where to; appears when it is complete.
        model: The network.
        name: Its name in `create_model`.
        options: The builder's options beside `num_classes`.
        labels: One label per output, in order.
        clip: How it wants to be fed.
        facts: JSON values that tell how it was trained.
        multi_label: Whether labels don't exclude each other (sigmoid rather than softmax).

    Raises:
        OSError: It can't be written there.
        ValueError: The folder doesn't exist, or `path` is one.
    """
    path = Path(path)
    about = {
        "format": FORMAT,
        "model": name,
        "options": dict(options),
        "labels": list(labels),
        "clip": clip.to_dict(),
        "multi_label": multi_label,
        "facts": dict(facts),
    }
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    with appearing(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file(state, temporary, metadata={_KEY: json.dumps(about, ensure_ascii=False)})
        except SafetensorError as error:
            raise OSError(f"{path}: can't be written ({error})") from None
        temporary.chmod(mode)  # safetensors lets nobody but the owner read what it writes
    return path


def load_model(path: str | Path) -> LoadedModel:
    """Read a file that `save_model` (or `muybridge train`) wrote.

    Raises:
        WeightsError: No such file, not a safetensors file, not one of ours, or its tensors don't fit the model it
            names.
    """
    path = Path(path)
    about, state = _read(path)
    try:
        name, options, labels = about["model"], about["options"], tuple(about["labels"])
        clip = ClipSpec.from_dict(about["clip"])
        # Built without memory, then filled with the file's own tensors: the weights are never held twice.
        model = outline(name, num_classes=len(labels), **options)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path}: its description can't be used ({error}); train it again") from None
    try:
        model.load_state_dict(state, assign=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1 if "\n" in str(error) else 0].strip()
        raise WeightsError(f"{path}: its tensors don't fit the model {name} that it names: {first}") from None
    model.eval()
    return LoadedModel(
        model=model,
        name=name,
        options=options,
        labels=labels,
        clip=clip,
        multi_label=bool(about.get("multi_label", False)),
        facts=about.get("facts", {}),
    )


def describe_file(path: Path) -> dict[str, Any]:
    """What a model file (`is_model_file`) says of itself: `model`, `options`, `labels`, `clip`,
    `multi_label`, `facts`.
    """
    with safe_open(path, framework="pt") as file:
        about: dict[str, Any] = json.loads(file.metadata()[_KEY])
    return about


def is_model_file(path: str | Path) -> bool:
    """Whether a file, or the model in a folder, is one that `save_model` wrote."""
    path = Path(path)
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():  # a pipe would be waited for
        return False
    try:
        with safe_open(path, framework="pt") as file:
            return _KEY in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return False


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _read(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    if not path.exists():
        raise WeightsError(
            f"{path}: no such file; give the model.safetensors that `muybridge train` left in its output folder"
        )
    if path.is_dir():
        inside = path / "model.safetensors"
        if not inside.is_file():
            raise WeightsError(
                f"{path}: a folder without a model.safetensors; give the file of a trained model"
            )
        return _read(inside)
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get(_KEY, "null"))
            # Stored in half precision to be small, computed with in full.
            state = {key: _whole(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a safetensors file, or a damaged one ({error}); wanted: a model.safetensors "
            "that `muybridge train` wrote"
        ) from None
    if not isinstance(about, dict):
        raise WeightsError(
            f"{path}: a safetensors file without muybridge's description (model, labels, clip); wanted: a "
            "model.safetensors that `muybridge train` wrote"
        )
    if about.get("format") != FORMAT:
        raise WeightsError(
            f"{path}: written in format {about.get('format')}, this version reads {FORMAT}; update muybridge"
        )
    return about, state
