"""Any weight file becomes a model: whose it is and which model it fills is recognized from its keys and shapes.

    >>> loaded = open_checkpoint("SLOWFAST_8x8_R50.pkl")
    >>> loaded.name, loaded.origin
    ('slowfast_r50_8x8', 'PySlowFast')
    >>> print(loaded.report)

A reading of `muybridge.published` is a claim; here it is proven: the model is built without memory, every key of the
file must find its place in it with the right shape, and every key of the model must be filled. Then the file's own
tensors move in, so the weights are never held twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from muybridge.labels import load_labels
from muybridge.model_file import LoadedModel, is_model_file, load_model
from muybridge.models import ClipModel, create_model, model_info, outline
from muybridge.published import Reading, find_weights, list_weights, readings
from muybridge.types import ClipSpec, Weights, WeightsError
from muybridge.weights.containers import Opened, open_file
from muybridge.weights.fetch import fetch, file_name
from muybridge.weights.remap import Remapped, remap

# The class list that goes with a number of outputs, in files of the projects that publish them.
_LABELS = {
    157: "charades",
    174: "ssv2",
    400: "kinetics400",
    487: "sports1m",
    600: "kinetics600",
    700: "kinetics700",
}
_SHOWN = 4
"""Keys named in a message before it says how many more there are."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file and a reading of it that accounts for every key of the file and of the model.

    Attributes:
        path: The file.
        kind: What it is packed in.
        reading: Origin, model, options.
        remapped: What becomes of each key.
        weights: The published weights that the file is by its name, if it is any.
        clip: How the model wants to be fed.
    """

    path: Path
    kind: str
    reading: Reading
    remapped: Remapped
    weights: Weights | None
    clip: ClipSpec

    @property
    def models(self) -> tuple[str, ...]:
        """The models with this very network, which differ in how they are fed; the likeliest first."""
        return (self.reading.model, *self.reading.twins)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "file": str(self.path),
            "kind": self.kind,
            "origin": self.reading.origin,
            "model": self.reading.model,
            "twins": list(self.reading.twins),
            "options": dict(self.reading.options),
            "classes": self.reading.num_classes,
            "weights": self.weights.name if self.weights else None,
            "clip": self.clip.to_dict(),
            "used": len(self.remapped.used),
            "ignored": dict(self.remapped.ignored),
            "filled": list(self.remapped.filled),
            "inflated": self.reading.inflates,
            "note": self.reading.note,
        }

    def describe(self) -> str:
        """What was recognized, and what became of the keys, for people."""
        reading, remapped = self.reading, self.remapped
        options = ", ".join(f"{name}={value}" for name, value in reading.options.items())
        rows = [
            ("file", f"{self.path} ({self.kind})"),
            ("origin", reading.origin),
            ("model", reading.model + (f" ({options})" if options else "")),
            ("classes", f"{reading.num_classes}"),
            ("clip", self.clip.describe()),
            ("keys", f"{len(remapped.used)} used, each once"),
        ]
        if reading.twins:
            rows.append(
                ("or", f"{', '.join(reading.twins)}: the same network, fed otherwise; say which with model=")
            )
        if self.weights:
            rows.insert(1, ("weights", self.weights.name))
        reasons: dict[str, list[str]] = {}
        for key, reason in remapped.ignored.items():
            reasons.setdefault(reason, []).append(key)
        rows += [("ignored", f"{_some(keys)}: {reason}") for reason, keys in reasons.items()]
        if remapped.filled:
            rows.append(("filled in", f"{_some(remapped.filled)}: not in the file, their value is known"))
        if reading.inflates:
            rows.append(
                ("head", "left out: the file has no classifier for this model; a fresh one takes its place")
            )
        if reading.note:
            rows.append(("note", reading.note))
        return "\n".join(f"{name:10}{value}" for name, value in rows)


def identify(path: str | Path) -> list[Match]:
    """Whose file it is and which models it fills, from its keys and shapes; nothing is computed.

    Args:
        path: A weight file of another project.

    Returns:
        Every way to read the file that accounts for all its keys, the likeliest first. Image networks, which can grow
        into several video models, give one each.

    Raises:
        WeightsError: The file can't be opened, or is not one that any family knows.
    """
    path = Path(path)
    return [match for match, _ in _matches(path, open_file(path), _entry_of(path))]


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
        source: A file, a folder in the Hugging Face format, or the name of published weights (`muybridge models
            --weights`), which are then fetched.
        model: Name in `create_model`, where the file alone leaves it open.
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
        return _own(load_model(path), model, num_classes, labels)
    if (path / "config.json").is_file():
        return _own(_hugging_face(path), model, num_classes, labels)
    opened = open_file(path)
    found = _matches(path, opened, entry)
    match, network = _choose(found, model)
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
    return LoadedModel(
        model=network.eval(),
        name=reading.model,
        options=reading.options,
        labels=_labels(match, outputs, labels),
        clip=match.clip,
        facts=facts | ({"weights": match.weights.name} if match.weights else {}),
        origin=reading.origin,
        report=report,
    )


def _locate(source: str | Path, progress: Callable[[int, int], None] | None) -> tuple[Path, Weights | None]:
    """Where the file lies, and which published weights it is."""
    path = Path(source)
    looks_published = isinstance(source, str) and re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_-]+)+", source)
    if not path.exists() and looks_published and path.suffix not in _SUFFIXES:
        entry = find_weights(str(source))
        return fetch(entry, progress=progress), entry
    return path, _entry_of(path)


_SUFFIXES = (".pth", ".pyth", ".pt", ".pkl", ".ckpt", ".safetensors", ".pickle", ".index", ".bin")


def _entry_of(path: Path) -> Weights | None:
    """The published weights with a file of this name."""
    named = [weights for weights in list_weights() if file_name(weights.url) == path.name]
    return named[0] if len(named) == 1 else None


def _matches(path: Path, opened: Opened, entry: Weights | None) -> list[tuple[Match, ClipModel]]:
    """Every reading that holds, with its model on the meta device; one of the models of `entry` comes first."""
    state = {key: torch.empty_like(tensor, device="meta") for key, tensor in opened.state.items()}
    told = _settings(opened.facts)
    found: list[tuple[Match, ClipModel]] = []
    failed: list[tuple[Match, ClipModel]] = []
    for reading in readings({key: tuple(tensor.shape) for key, tensor in state.items()}):
        known = (
            entry
            if entry and entry.model in (reading.model, *reading.twins) and not reading.inflates
            else None
        )
        if known:
            others = tuple(name for name in (reading.model, *reading.twins) if name != known.model)
            options = {**reading.options, **known.options}
            reading = replace(reading, model=known.model, twins=others, options=options)
        else:
            reading = _fed_as_told(reading, told)
        network = outline(reading.model, num_classes=reading.num_classes, **reading.options)
        _, remapped = remap(dict(state), network.state_dict(), reading)
        clip = known.clip if known else replace(reading.clip or model_info(reading.model).clip, **told)
        match = Match(
            path=path, kind=opened.kind, reading=reading, remapped=remapped, weights=known, clip=clip
        )
        (found if remapped.is_complete else failed).append((match, network))
    if not found:
        raise WeightsError(f"{path}: {_why_not(opened, [match for match, _ in failed])}")
    return sorted(found, key=lambda pair: (pair[0].reading.inflates, pair[0].weights is None))


def _why_not(opened: Opened, failed: Sequence[Match]) -> str:
    if not failed:
        return (
            f"its {len(opened.state)} tensors ({_some(opened.state)}) are of no family that muybridge knows; "
            "see `muybridge models --weights` for what can be opened"
        )
    near = max(failed, key=lambda match: len(match.remapped.used))
    left = near.remapped
    problems = [
        f"{len(keys)} {what} ({_some(keys)})"
        for keys, what in (
            (left.unknown, "keys without a place"),
            (left.missing, "of the model's keys missing"),
            (tuple(left.misshapen), "tensors of another shape"),
        )
        if keys
    ]
    return f"looks like {near.reading.model} of {near.reading.origin}, but has {'; '.join(problems)}"


def _choose(found: list[tuple[Match, ClipModel]], model: str | None) -> tuple[Match, ClipModel]:
    """The one match that is meant; another model with the same network takes the place of the first if asked for."""
    path = found[0][0].path
    if model is not None:
        fitting = [pair for pair in found if model in pair[0].models]
        if not fitting:
            raise WeightsError(f"{path}: is no {model}; from its keys it can be {_candidates(found)}")
        found = [min(fitting, key=lambda pair: pair[0].reading.inflates)]
    elif found[0][0].weights:
        found = found[:1]
    elif len(found) > 1:
        raise WeightsError(
            f"{path}: its keys leave open which model it is; give model= (--model) one of {_candidates(found)}"
        )
    match, network = found[0]
    if model is not None and model != match.reading.model:
        return _as_twin(match, model)
    return match, network


def _candidates(found: Sequence[tuple[Match, ClipModel]]) -> str:
    return ", ".join(dict.fromkeys(name for match, _ in found for name in match.models))


def _as_twin(match: Match, model: str) -> tuple[Match, ClipModel]:
    reading = match.reading
    network = outline(model, num_classes=reading.num_classes, **reading.options)
    others = tuple(name for name in match.models if name != model)
    clip = replace(model_info(model).clip, mean=match.clip.mean, std=match.clip.std)
    return replace(
        match, reading=replace(reading, model=model, twins=others), clip=clip, weights=None
    ), network


def _settings(facts: Mapping[str, str]) -> dict[str, Any]:
    """What PySlowFast, which writes its settings into its files, says of the clip."""
    names = {"frames": "NUM_FRAMES", "stride": "SAMPLING_RATE", "size": "TEST_CROP_SIZE"}
    found = {name: re.search(rf"\b{setting}: (\d+)", facts.get("cfg", "")) for name, setting in names.items()}
    told = {name: int(match[1]) for name, match in found.items() if match}
    # It tests on crops as high as the resized frame.
    return told | ({"short_side": told["size"]} if "size" in told else {})


def _fed_as_told(reading: Reading, told: Mapping[str, Any]) -> Reading:
    """The same reading, with the twin first whose frames and stride the file tells."""
    names = (reading.model, *reading.twins)
    clips = {name: model_info(name).clip for name in names}
    likely = [
        n for n in names if (clips[n].frames, clips[n].stride) == (told.get("frames"), told.get("stride"))
    ]
    model = likely[0] if likely else reading.model
    return replace(reading, model=model, twins=tuple(name for name in names if name != model))


def _labels(match: Match, outputs: int, labels: Sequence[str] | None) -> tuple[str, ...]:
    reading = match.reading
    if labels is not None:
        if len(labels) != outputs:
            raise ValueError(f"{len(labels)} labels for {outputs} outputs of {match.path}; give one each")
        return tuple(labels)
    # Whoever has 400 classes learnt Kinetics-400, in one order; only Hara numbers them otherwise.
    usual = "kinetics400" if outputs == 400 and reading.origin != "Hara" else ""
    known = match.weights.labels if match.weights else reading.labels or usual
    if known and outputs == reading.num_classes and not reading.inflates:
        names = load_labels(known)
        if len(names) == outputs:
            return names
    return tuple(f"class {number}" for number in range(outputs))


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
    loaded: LoadedModel, model: str | None, num_classes: int | None, labels: Sequence[str] | None
) -> LoadedModel:
    """A model that describes itself, with the changes that were asked for."""
    if model not in (None, loaded.name):
        raise WeightsError(f"the file says that it is {loaded.name}, not {model}; leave model out")
    outputs = len(loaded.labels) if num_classes is None else num_classes
    if labels is not None and len(labels) != outputs:
        raise ValueError(f"{len(labels)} labels for {outputs} outputs; give one each")
    if outputs != len(loaded.labels):
        loaded.model.reset_head(outputs)
        labels = labels or tuple(f"class {number}" for number in range(outputs))
    return replace(loaded, labels=tuple(labels)) if labels is not None else loaded


def _some(keys: Sequence[str] | Mapping[str, Any]) -> str:
    """The first few names, and how many more there are."""
    names = list(keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
