"""Any weight file becomes a model: whose it is and which model it fills is recognized from its keys and shapes.

    >>> loaded = open_checkpoint("SLOWFAST_8x8_R50.pkl")
    >>> loaded.name, loaded.origin
    ('slowfast_r50_8x8', 'PySlowFast')
    >>> print(loaded.report)

`muybridge.matching` proves what it is with a model that has no memory yet. Then the file's own tensors move in, so the
weights are never held twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from muybridge.bundled import bundled_path
from muybridge.labels import load_labels
from muybridge.matching import SAME_NETWORK, Match, choose, find_matches, published_as, some
from muybridge.model_file import LoadedModel, is_model_file, load_model
from muybridge.models import create_model, list_models
from muybridge.published import find_weights, list_weights
from muybridge.types import Weights, WeightsError
from muybridge.weights.containers import open_file
from muybridge.weights.fetch import fetch
from muybridge.weights.remap import remap

_SUFFIXES = (".pth", ".pyth", ".pt", ".pkl", ".ckpt", ".safetensors", ".pickle", ".index", ".bin")


def open_checkpoint(
    source: str | Path,
    *,
    model: str | None = None,
    num_classes: int | None = None,
    labels: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> LoadedModel:
    """Open any weight file: ours, or one that another project published or trained.

    Args:
        source: A file, a folder in the Hugging Face format, the name of weights that come with the package, or of
            published ones (`muybridge models --weights`), which are then fetched.
        model: Name in `create_model` where the file alone leaves it open, or of the published weights that it is:
            these also tell what keys can't, such as the kind of non-local blocks.
        num_classes: Number of outputs wanted: where the file has another, its classifier is left out and a fresh one
            takes its place.
        labels: One label per output, where the file's own can't be known.
        progress: Called with (done, total) bytes while weights are fetched.

    Returns:
        The network in eval mode, on the CPU, with its labels and its clip; `report` says what was recognized.

    Raises:
        WeightsError: The file can't be opened, no family knows it, or it could be several models: the text then names
            them.
        ValueError: No published weights of that name, or labels that don't fit.
    """
    path, entry = _locate(source, progress)
    if is_model_file(path):
        return _own(path, load_model(path), model, num_classes, labels)
    if (path / "config.json").is_file():
        return _own(path, _hugging_face(path), model, num_classes, labels)
    if meant := next((weights for weights in list_weights() if weights.name == model), None):
        entry, model = meant, meant.model
    opened = open_file(path)
    found = find_matches(path, opened, entry)
    match, network = choose(found, model)
    reading = match.reading
    if reading.inflates and num_classes is None:
        raise WeightsError(
            f"{path}: has no classifier for {reading.model}, so there is nothing to recognize with yet; train one: "
            f"muybridge train DATA --start {path} --model {reading.model} (num_classes= in Python)"
        )
    outputs = reading.num_classes if num_classes is None else num_classes
    state, _ = remap(opened.state, network.state_dict(), reading)
    if reading.inflates:
        # What the image network has nothing for must be fresh, so this model is built with memory.
        network = create_model(reading.model, num_classes=outputs, **reading.options)
    network.load_state_dict(state, assign=True, strict=not reading.inflates)
    del state
    report = match.describe()
    if outputs != reading.num_classes:
        network.reset_head(outputs)
    if outputs != reading.num_classes and not reading.inflates:
        report += (
            f"\nhead      left out: the file's has {reading.num_classes} classes; a fresh one has {outputs}"
        )
    facts = {"file": path.name, "origin": reading.origin}
    named = _labels(match, outputs, labels)
    return LoadedModel(
        model=network.eval(),
        name=reading.model,
        options=reading.options,
        labels=named or _numbered(outputs),
        clip=match.clip,
        multi_label=match.labels == "charades" and outputs == reading.num_classes,
        facts=facts | ({"weights": match.weights.name} if match.weights else {}),
        origin=reading.origin,
        report=report,
        notes=_notes(
            match, is_chosen=model is not None, is_named=bool(named) or outputs != reading.num_classes
        ),
    )


def _locate(source: str | Path, progress: Callable[[int, int], None] | None) -> tuple[Path, Weights | None]:
    """Where the file lies, and which published weights it is."""
    path = Path(source)
    if not path.exists() and (inside := bundled_path(str(source))):
        return inside, None
    looks_published = isinstance(source, str) and re.fullmatch(r"\w+(\.[\w-]+)*", source)
    if not path.exists() and looks_published and path.suffix not in _SUFFIXES:
        try:
            entry = find_weights(str(source))
        except ValueError as error:
            cause = str(error)
            if source in list_models() and not list_weights(f"{source}.*"):
                cause = (
                    f"no weights are published for {source}; `muybridge train --model {source}` makes some"
                )
            raise ValueError(f"{source}: no such file, and {cause}") from None
        return fetch(entry, progress=progress), entry
    return path, published_as(path)


def _labels(match: Match, outputs: int, labels: Sequence[str] | None) -> tuple[str, ...]:
    """A name for each output, or nothing if their names can't be known."""
    if labels is not None:
        if len(labels) != outputs:
            raise ValueError(f"{len(labels)} labels for {outputs} outputs of {match.path}; give one each")
        return tuple(labels)
    names = load_labels(match.labels) if match.labels and outputs == match.reading.num_classes else ()
    return names if len(names) == outputs else ()


def _numbered(outputs: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(outputs))


def _notes(match: Match, *, is_chosen: bool, is_named: bool) -> tuple[str, ...]:
    """What a user should know before believing an answer."""
    reading = match.reading
    notes = []
    if reading.twins and not match.weights and not is_chosen:
        notes.append(f"taken for {reading.model}; {', '.join(reading.twins)}: {SAME_NETWORK}")
    if not is_named:
        notes.append(
            f"its {reading.num_classes} classes have no names; --labels FILE (labels= in Python) gives them"
        )
    if reading.note:
        notes.append(reading.note)
    return tuple(notes)


def _hugging_face(folder: Path) -> LoadedModel:
    from muybridge.models.hf import open_folder

    network, options, labels, clip = open_folder(folder)
    return LoadedModel(
        model=network,
        name="hf_video",
        options=options,
        labels=labels,
        clip=clip,
        facts={"file": folder.name, "origin": "Hugging Face"},
        origin="Hugging Face",
        report=f"file      {folder}\norigin    Hugging Face\nmodel     {type(network.network).__name__}",
    )


def _own(
    path: Path,
    loaded: LoadedModel,
    model: str | None,
    num_classes: int | None,
    labels: Sequence[str] | None,
) -> LoadedModel:
    """A model that describes itself, with the changes that were asked for."""
    if model not in (None, loaded.name):
        raise WeightsError(f"{path}: says that it is {loaded.name}, not {model}; leave --model (model=) out")
    outputs = len(loaded.labels) if num_classes is None else num_classes
    if labels is not None and len(labels) != outputs:
        raise ValueError(f"{len(labels)} labels for {outputs} outputs of {path}; give one each")
    if outputs != len(loaded.labels):
        loaded.model.reset_head(outputs)
        labels = labels or _numbered(outputs)
    options = ", ".join(f"{name}={value}" for name, value in loaded.options.items())
    rows = [
        ("file", f"{path}"),
        ("origin", loaded.origin),
        ("model", loaded.name + (f" ({options})" if options else "")),
        ("classes", f"{len(loaded.labels)}: {some(loaded.labels)}"),
        ("clip", loaded.clip.describe()),
    ]
    report = loaded.report or "\n".join(f"{name:10}{value}" for name, value in rows)
    return replace(loaded, labels=tuple(labels or loaded.labels), report=report)
