"""`muybridge models`: the families, a model's card, the published weights."""

from __future__ import annotations

import difflib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated

import typer

from muybridge.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from muybridge.types import ClipSpec, Weights


def models(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="[PATTERN]",
            help="Names to list, e.g. '*slow*'; the whole name of a model or of weights tells all about it.",
        ),
    ] = "*",
    cost: Annotated[bool, typer.Option("--cost", help="Count parameters and GFLOPs too (slower).")] = False,
    weights: Annotated[bool, typer.Option("--weights", help="List published weights instead.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="The tables of docs/models.md: every model and all weights.")
    ] = False,
) -> None:
    """List the models by family, or published weights; a whole name tells all about one."""
    from muybridge.bundled import bundled_path, list_bundled
    from muybridge.models import list_models
    from muybridge.published import list_weights

    if markdown:
        console.out(_page())
        return
    if file := bundled_path(pattern):
        console.out(_bundled_card(pattern, file))
        return
    exact = [entry for entry in list_weights() if entry.name == pattern]
    if exact:
        console.out(_weights_card(exact[0]))
        return
    if weights:
        console.out(_weights_table(pattern))
        return
    names = list_models(pattern)
    if not names:
        every = [*list_models(), *list_bundled(), *(w.name for w in list_weights())]
        near = difflib.get_close_matches(pattern, every, n=3)
        inside = list_models(f"*{pattern}*")
        hint = f"did you mean {' or '.join(near)}?" if near else "`muybridge models` lists them all"
        hint = f"try '*{pattern}*'" if inside and not near else hint
        raise ValueError(f"no model matches {pattern!r}; {hint}")
    if names == [pattern]:
        console.out(_model_card(pattern))
        return
    console.out(_models_table(names, cost))


def _models_table(names: list[str], cost: bool) -> str:
    from muybridge.models import model_info

    rows = []
    infos = sorted((model_info(name) for name in names), key=lambda info: info.family)
    family = ""
    for info in infos:
        row = [info.family if info.family != family else "", info.name, _size(info.clip)]
        family = info.family
        if cost:
            row += _cost(info.name)
        rows.append([*row, info.summary])
    return console.table(
        rows, head=["family", "model", "clip", *(["params M", "GFLOPs (MACs)"] if cost else []), "what"]
    )


def _weights_table(pattern: str) -> str:
    from muybridge.bundled import list_bundled
    from muybridge.published import list_weights

    bundled = [name for name in list_bundled() if fnmatchcase(name, pattern)]
    found = [w for w in list_weights() if fnmatchcase(w.name, pattern) or fnmatchcase(w.model, pattern)]
    if not found and not bundled:
        raise ValueError(
            f"no published weights match {pattern!r}; `muybridge models --weights` lists them all"
        )
    ours = [[name, "muybridge", "figures", "", "", "comes with it", "Apache-2.0"] for name in bundled]
    return console.table(
        [
            *ours,
            *([w.name, w.origin, w.labels, _scores(w), w.views, _checked(w), w.licence] for w in found),
        ],
        head=["weights", "origin", "labels", "score %", "views", "checked by", "licence"],
    )


def _model_card(name: str) -> str:
    from muybridge.models import model_info
    from muybridge.published import list_weights

    info = model_info(name)
    millions, gflops = _cost(name)
    rows = [
        ("what", info.summary),
        ("family", info.family),
        ("paper", info.paper),
        ("clip", info.clip.describe()),
        ("test views", f"{info.clip.test_clips} clips x {info.clip.test_crops} crops"),
        ("parameters", f"{millions} M"),
        ("cost", f"{gflops} GFLOPs (multiply-accumulates) per view"),
    ]
    rows += [
        ("weights", f"{w.name}  {_scores(w)}  {w.views}".rstrip()) for w in list_weights() if w.model == name
    ]
    return "\n".join([name, *(f"  {key:11}{value}" for key, value in rows)])


def _bundled_card(name: str, path: Path) -> str:
    from muybridge.model_file import describe_file
    from muybridge.types import ClipSpec

    about = describe_file(path)
    facts, clip = about["facts"], ClipSpec.from_dict(about["clip"])
    measured = facts["measured"]
    worst = sorted(measured["per_class"].items(), key=lambda item: item[1])[:3]
    options = ", ".join(f"{option}={value}" for option, value in about["options"].items())
    rows = [
        ("model", about["model"] + (f" ({options})" if options else "")),
        ("origin", f"comes with muybridge, {path.stat().st_size / 1e6:.1f} MB; `make bundled` makes it anew"),
        ("trained on", facts["data"]),
        ("clip", clip.describe()),
        ("labels", f"{len(about['labels'])}: {', '.join(about['labels'])}"),
        ("score", f"top-1 {measured['top1']:.1%} on {measured['on']}, {measured['views']} views each"),
        ("weakest", ", ".join(f"{label} {share:.0%}" for label, share in worst)),
    ]
    if real := facts.get("real"):
        rows.append(("real people", real["on"]))
        rows += [
            ("", f"{what}: {n['open']} of {n['segments']} among all labels, {n['closed']} among these three")
            for what, n in real.items()
            if what != "on"
        ]
    rows += [
        ("note", "it knows drawn people; for real ones, fine-tune it or take published weights"),
        ("use", f"muybridge recognize VIDEO --model {name}"),
    ]
    return "\n".join([name, *(f"  {key:13}{value}" for key, value in rows)])


def _weights_card(weights: Weights) -> str:
    from muybridge.models import model_info

    options = ", ".join(f"{name}={value}" for name, value in weights.options.items())
    use = f"muybridge recognize VIDEO --model {weights.name}"
    rows = [
        ("model", weights.model + (f" ({options})" if options else "")),
        ("paper", model_info(weights.model).paper),
        ("origin", weights.origin),
        ("file", weights.url),
        ("checked by", _checked(weights)),
        ("clip", weights.clip.describe()),
        ("labels", weights.labels),
        ("score", f"{_scores(weights)}{' with views ' + weights.views if weights.views else ''}"),
        ("licence", weights.licence),
        ("note", weights.note),
        ("use", use),
    ]
    return "\n".join([weights.name, *(f"  {key:11}{value}" for key, value in rows if value)])


def _page() -> str:
    """`docs/models.md`."""
    from muybridge.models import list_models, model_info
    from muybridge.published import list_weights

    infos = sorted((model_info(name) for name in list_models()), key=lambda info: info.family)
    every = list_weights()
    origins = {info.name: sorted({w.origin for w in every if w.model == info.name}) for info in infos}
    lines = [
        "# Models and published weights",
        "",
        "Made by `make docs`; change the sources instead. GFLOPs are billions of multiply-accumulates for one view",
        "of the clip given (frames x side x side), as the field counts them.",
        "",
        "## Models",
        "",
        "| family | model | clip | parameters M | GFLOPs | what | paper | weights from |",
        "|---|---|---|---:|---:|---|---|---|",
    ]
    for info in infos:
        cells = [info.family, f"`{info.name}`", _size(info.clip), *_cost(info.name), info.summary, info.paper]
        lines.append(_row([*cells, ", ".join(origins[info.name])]))
    lines += [
        "",
        "## Published weights",
        "",
        "Scores are the publisher's, in percent, with the views (clips x crops) that they were reached with. "
        "`muybridge models NAME` tells where a file lies and how it is checked.",
        "",
        "| weights | model | origin | labels | clip | score | views | checked by | licence |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for w in every:
        cells = [
            f"`{w.name}`",
            f"`{w.model}`",
            f"[{w.origin}]({w.url})",
            w.labels,
            w.clip.describe(),
            _scores(w),
        ]
        lines.append(_row([*cells, w.views, _checked(w), w.licence]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _size(clip: ClipSpec) -> str:
    return f"{clip.frames}x{clip.size}x{clip.size}"


def _cost(name: str) -> list[str]:
    from muybridge.models import model_info, outline
    from muybridge.models.cost import count_gflops, count_parameters

    model = outline(name)
    return [f"{count_parameters(model) / 1e6:.2f}", f"{count_gflops(model, model_info(name).clip):.2f}"]


def _scores(weights: Weights) -> str:
    return ", ".join(f"{name} {score:g}" for name, score in weights.scores.items())


def _checked(weights: Weights) -> str:
    if len(weights.sha256) == 64:
        return "sha256"
    return f"sha256 {weights.sha256}..." if weights.sha256 else "first download"
