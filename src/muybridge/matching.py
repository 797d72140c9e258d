"""Which model a weight file is: every reading of its keys and shapes is put to the proof.

A reading of `muybridge.published` is a claim. It holds if every key of the file finds its place in the model with the
right shape, and every key of the model is filled; the model has no memory yet, so this costs next to nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from muybridge.model_file import is_model_file
from muybridge.models import ClipModel, model_info, outline
from muybridge.published import Reading, list_weights, readings
from muybridge.types import ClipSpec, Weights, WeightsError
from muybridge.weights.containers import Opened, open_file
from muybridge.weights.fetch import file_name
from muybridge.weights.remap import Remapped, remap

SAME_NETWORK = "the same network, fed otherwise; --model (model= in Python) chooses"
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
    def labels(self) -> str:
        """The class list of `muybridge.labels` that names its outputs; empty if that can't be known."""
        if self.reading.inflates:
            return ""
        if self.weights:
            return self.weights.labels
        # Whoever has 400 classes learnt Kinetics-400, in one order; only Hara numbers them otherwise.
        usual = self.reading.num_classes == 400 and self.reading.origin != "Hara"
        return self.reading.labels or ("kinetics400" if usual else "")

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
            "labels": self.labels or None,
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
            ("classes", f"{reading.num_classes}, {self.labels or 'without names'}"),
            ("clip", self.clip.describe()),
            ("keys", f"{len(remapped.used)} used, each once"),
        ]
        if reading.twins:
            rows.append(("or", f"{', '.join(reading.twins)}: {SAME_NETWORK}"))
        if self.weights:
            rows.insert(1, ("weights", self.weights.name))
        reasons: dict[str, list[str]] = {}
        for key, reason in remapped.ignored.items():
            reasons.setdefault(reason, []).append(key)
        rows += [("ignored", f"{some(keys)}: {reason}") for reason, keys in reasons.items()]
        if remapped.filled:
            rows.append(("filled in", f"{some(remapped.filled)}: not in the file, their value is known"))
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
        WeightsError: The file can't be opened, is one of our own, or is not one that any family knows.
    """
    path = Path(path)
    if is_model_file(path):
        raise WeightsError(f"{path}: muybridge's own, which says itself what it is; open_checkpoint opens it")
    return [match for match, _ in find_matches(path, open_file(path), published_as(path))]


def published_as(path: Path) -> Weights | None:
    """The published weights that a file is, by its name and, where one was published, its digest."""
    named = [weights for weights in list_weights() if file_name(weights.url) == path.name]
    if len(named) != 1 or not path.is_file():
        return None
    if named[0].sha256:
        with path.open("rb") as file:
            if not hashlib.file_digest(file, "sha256").hexdigest().startswith(named[0].sha256):
                return None
    return named[0]


def find_matches(path: Path, opened: Opened, entry: Weights | None) -> list[tuple[Match, ClipModel]]:
    """Every reading that holds, with its model on the meta device; what `entry` says it is comes first.

    Raises:
        WeightsError: None holds.
    """
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
            f"its {len(opened.state)} tensors ({some(opened.state)}) are of no family that muybridge knows; "
            "see `muybridge models --weights` for what can be opened"
        )
    near = max(failed, key=lambda match: len(match.remapped.used))
    left = near.remapped
    problems = [
        f"{len(keys)} {what} ({some(keys)})"
        for keys, what in (
            (left.unknown, "keys without a place"),
            (left.missing, "of the model's keys missing"),
            (tuple(left.misshapen), "tensors of another shape"),
        )
        if keys
    ]
    return f"looks like {near.reading.model} of {near.reading.origin}, but has {'; '.join(problems)}"


def choose(found: list[tuple[Match, ClipModel]], model: str | None) -> tuple[Match, ClipModel]:
    """The one match that is meant; another model with the same network takes the place of the first if asked for.

    Raises:
        WeightsError: The file leaves it open and nobody says, or it isn't what was asked for.
    """
    path = found[0][0].path
    if model is not None:
        fitting = [pair for pair in found if model in pair[0].models]
        if not fitting:
            model_info(model)  # or there is no such model at all
            raise WeightsError(f"{path}: is no {model}; from its keys it can be {_candidates(found)}")
        found = [min(fitting, key=lambda pair: pair[0].reading.inflates)]
    elif found[0][0].weights:
        found = found[:1]
    elif len(found) > 1:
        raise WeightsError(
            f"{path}: its keys leave open which model it is; say which with --model (model= in Python): "
            f"{_candidates(found)}"
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


def some(keys: Sequence[str] | Mapping[str, Any]) -> str:
    """The first few names, and how many more there are."""
    names = list(keys)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
