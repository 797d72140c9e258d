"""From what was typed to models that recognize: one of them, or two streams."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from muybridge.cli import console
from muybridge.cli.checkpoints import fetched, read_labels, tell

if TYPE_CHECKING:
    from muybridge.predict import Recognizer, TwoStreams

DEFAULT_WEIGHTS = "mvit_v2_s.k400"


def ratio(text: str) -> tuple[float, float]:
    """Two weights such as `1:1.5`."""
    first, colon, second = text.partition(":")
    try:
        return float(first), float(second if colon else "none")
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a pair of weights; write for example 1:1.5") from None


def check_streams(
    rgb: str | None, flow: str | None, other: str | None, weights: str | None, average: str | None
) -> bool:
    """Whether two streams were asked for, having refused what doesn't go together.

    Args:
        rgb: Of `--rgb`.
        flow: Of `--flow`.
        other: Of `--checkpoint` or `--model`.
        weights: Of `--weights`.
        average: Of `--average`.
    """
    if (rgb is None) != (flow is None):
        raise typer.BadParameter("two streams are --rgb and --flow together; one alone is --checkpoint")
    if rgb is not None and other:
        raise typer.BadParameter("--rgb and --flow are two models; leave --checkpoint and --model out")
    if rgb is None and (weights or average):
        raise typer.BadParameter("--weights and --average are of two streams; give --rgb and --flow")
    if average not in (None, "probabilities", "logits"):
        raise typer.BadParameter(f"--average is {average}; it must be probabilities or logits")
    ratio(weights or "1:1")
    return rgb is not None


def open_one(
    source: str | None,
    model: str | None,
    labels: Path | None,
    device: str | None,
    flow_from: str | None,
    *,
    data: Path | None = None,
) -> Recognizer:
    """Open a model, and say what a user should know of it.

    Args:
        source: A trained model, a weight file, or a name of published weights; None: the default.
        model: Which model a weight file is, where it leaves that open.
        labels: A file of labels, where a weight file doesn't bring its own.
        device: Where it runs.
        flow_from: How to make flow, or where it is stored.
        data: The data set that it will see: flow that was stored for its training is read again.

    Raises:
        WeightsError: It can't be opened.
        ValueError: A model of RGB alone, and yet `flow_from`.
    """
    names = read_labels(labels)
    source = fetched(source or DEFAULT_WEIGHTS)  # before torch, whose import takes seconds
    from muybridge.checkpoints import open_checkpoint
    from muybridge.flow.source import stored_for
    from muybridge.predict import Recognizer

    loaded = open_checkpoint(source, model=model, labels=names)
    if flow_from is not None and loaded.clip.modality == "rgb":
        raise ValueError(f"{loaded.name} sees no optical flow; leave --flow-from out")
    tell(loaded)
    recognizer = Recognizer(loaded, device=device, flow=flow_from or stored_for(loaded.facts, data))
    if recognizer.flow and not recognizer.flow.folder:
        console.say(
            f"note: flow by {recognizer.flow}, made on the way; `muybridge flow VIDEO --store` keeps it"
        )
    return recognizer


def open_both(
    sources: tuple[str | None, str | None],
    labels: Path | None,
    device: str | None,
    flow_from: str | None,
    weights: str | None,
    average: str | None,
    *,
    data: Path | None = None,
) -> TwoStreams:
    """Open two models that answer together, checked by `check_streams`; the rest as for `open_one`."""
    known = [fetched(str(source)) for source in sources]  # both, before torch is imported
    from muybridge.predict import TwoStreams

    rgb = open_one(known[0], None, labels, device, None, data=data)
    flow = open_one(known[1], None, labels, device, flow_from, data=data)
    return TwoStreams(
        rgb,
        flow,
        weights=ratio(weights or "1:1"),
        average=average or "probabilities",  # type: ignore[arg-type]  # checked
    )
