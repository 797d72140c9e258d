"""One HTML page with everything about an answer: the video, the labels, the timeline, the facts.

The page is a single file: video and pictures are inside, nothing is loaded from a network, and its content
security policy forbids it. Lanes and tables are drawn here, so that they are there without JavaScript; the
script of the template (`report.html`) adds the hover, the seeking and the play-head.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from muybridge.files import appearing
from muybridge.ink import (
    Colour,
    Stretch,
    answer_colours,
    clock,
    hex_colour,
    leading_labels,
    ranked,
    stretches,
    time_ticks,
)
from muybridge.types import Score, Window

EMBED_LIMIT = 64 * 2**20
"""Largest video, in bytes, that is put inside the page; browsers get slow on much larger ones."""

_LANES = 6
_TIP_LABELS = 5
_VIDEO_TYPES = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm"}
_PICTURE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_SLOT = re.compile(r"<!--slot:([a-z]+)-->")


def write_report(
    path: Path,
    *,
    title: str,
    video_path: Path | None,
    top: Sequence[Score],
    labels: Sequence[str],
    windows: Sequence[Window] = (),
    duration_s: float,
    facts: Mapping[str, str],
    pictures: Mapping[str, Path] | None = None,
    truth: Sequence[tuple[str, float, float]] = (),
    filmstrip: bytes | None = None,
    embed_limit: int = EMBED_LIMIT,
) -> Path:
    """Write the answer about one video as one self-contained HTML file.

    Every text is shown as it is: a label such as `<script>` is a label.

    Args:
        path: The HTML file to write.
        title: Heading of the page.
        video_path: The video to play, best an MP4 with H.264. It goes inside the page; one larger than
            `embed_limit` is linked by its relative path instead, and the page says so. None: no player.
        top: The answer for the whole video, best first.
        labels: All labels of the model (`k`).
        windows: The answer over time, one score per label each.
        duration_s: Length of the video, in seconds.
        facts: Name and value of what is worth knowing: model, clip, views, versions, source.
        pictures: Caption and file (PNG, JPEG or WebP) of pictures to show, such as a training curve.
        truth: What really happens: (label, start_s, end_s), drawn under the winning labels.
        filmstrip: JPEG bytes of `viz.thumbnail_strip`, shown above the timeline.
        embed_limit: Largest video to put inside, in bytes.

    Returns:
        `path`.

    Raises:
        ValueError: If a window has not one score per label, or a picture has another format.
        OSError: If the video or a picture can't be read, or the page can't be written.
    """
    path = Path(path)
    parts = stretches(windows, duration_s)
    winners = [ranked(part.window.scores, labels, 1)[0].label for part in parts]
    lanes = leading_labels(windows, labels, _LANES)
    colours = answer_colours(labels, windows, top, [*winners, *(name for name, _, _ in truth)])
    embedded = video_path is not None and video_path.stat().st_size <= embed_limit
    template = resources.files("muybridge").joinpath("report.html").read_text(encoding="utf-8")
    slots = {
        "policy": _policy(template, embedded),
        "title": html.escape(title),
        "lead": _lead(top, duration_s),
        "first": _first(video_path, path, embedded, top, colours, live=bool(parts)),
        "timeline": _timeline(parts, winners, lanes, labels, colours, duration_s, truth, filmstrip),
        "table": _table(parts, labels, colours),
        "facts": _facts(facts),
        "pictures": _pictures(pictures or {}),
        "data": _data(parts, labels, colours, duration_s),
    }
    with appearing(path) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as file:
        # One pass over the template: what is filled in is never searched for slots again.
        for index, piece in enumerate(_SLOT.split(template)):
            file.write(slots[piece] if index % 2 else piece)
    return path


def _policy(template: str, embedded: bool) -> str:
    script = re.findall(r"<script>(.*?)</script>", template, re.DOTALL)
    digests = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in script
    )
    media = "data:" if embedded else "'self' file: data:"
    return (
        f"default-src 'none'; script-src {digests}; style-src 'unsafe-inline'; img-src data:; "
        f"media-src {media}; base-uri 'none'; form-action 'none'"
    )


def _lead(top: Sequence[Score], duration_s: float) -> str:
    length = f"{duration_s:.1f} s" if duration_s < 60 else f"{clock(duration_s, tenths=False)} min"
    if duration_s >= 3600:
        length = f"{clock(duration_s, tenths=False)} h"
    if not top:
        return length
    return f"<strong>{html.escape(top[0].label)}</strong> {_percent(top[0].score)} · {length}"


def _first(
    video: Path | None,
    path: Path,
    embedded: bool,
    top: Sequence[Score],
    colours: Mapping[str, Colour],
    *,
    live: bool,
) -> str:
    bars = f'<section class="card"><h2>Whole video</h2>{_bars(top, colours)}</section>' if top else ""
    now = (
        '<section class="card live"><h2>At <span class="clock" id="now-time"></span></h2>'
        '<ol class="bars" id="now-bars"></ol></section>'
    )
    side = f'<div class="side">{bars}{now if live and video is not None else ""}</div>'
    if video is None:
        return side
    return f'<div class="first">{_player(video, path, embedded)}{side}</div>'


def _player(video: Path, path: Path, embedded: bool) -> str:
    kind = _VIDEO_TYPES.get(video.suffix.lower(), "video/mp4")
    note = ""
    if embedded:
        source = f"data:{kind};base64,{base64.b64encode(video.read_bytes()).decode()}"
    else:
        relative = Path(os.path.relpath(video.resolve(), path.resolve().parent)).as_posix()
        source = quote(relative)
        size = f"{video.stat().st_size / 2**20:.0f} MB"
        note = (
            f'<p class="note">The video ({size}) is too large to be part of this page. It is played from '
            f'<a href="{source}">{html.escape(relative)}</a>; keep the two files together.</p>'
        )
    return (
        f'<section class="card screen" aria-label="Video">'
        f'<video id="video" controls playsinline preload="auto" src="{source}"></video>{note}'
        f'<p class="note" id="broken" hidden>{html.escape(video.name)} is nothing this browser can play; '
        "MP4 with H.264 plays everywhere.</p></section>"
    )


def _bars(scores: Sequence[Score], colours: Mapping[str, Colour]) -> str:
    items = "".join(
        f'<li><span class="name" title="{html.escape(label)}">{html.escape(label)}</span>'
        f'<span class="score">{_percent(score)}</span><span class="bar">'
        f'<span style="width:{_share(score, 1)};--c:{hex_colour(colours[label])}"></span></span></li>'
        for label, score in scores
    )
    return f'<ol class="bars">{items}</ol>'


def _timeline(
    parts: Sequence[Stretch],
    winners: Sequence[str],
    lanes: Sequence[str],
    labels: Sequence[str],
    colours: Mapping[str, Colour],
    duration_s: float,
    truth: Sequence[tuple[str, float, float]],
    filmstrip: bytes | None,
) -> str:
    if not (parts or truth or filmstrip):
        return ""
    rows: list[tuple[str, str]] = []
    if filmstrip is not None:
        picture = f"data:image/jpeg;base64,{base64.b64encode(filmstrip).decode()}"
        rows.append(("", f'<div class="lane film"><img src="{picture}" alt="Frames of the video"></div>'))
    if parts:
        pairs = zip(winners, parts, strict=True)
        runs = ((label, [part for _, part in run]) for label, run in groupby(pairs, key=lambda pair: pair[0]))
        merged = [(label, run[0].start_s, run[-1].end_s) for label, run in runs]
        rows.append(("Most likely", _blocks("wins", merged, colours, duration_s)))
    if truth:
        rows.append(("Truth", _blocks("truth", truth, colours, duration_s)))
    for label in lanes:
        rows.append((label, _curve(parts, labels.index(label), colours[label], duration_s)))
    rows.append(("", _axis(duration_s)))
    cells = "".join(
        f'<div class="what" style="grid-row:{row}" title="{html.escape(name)}">{html.escape(name)}</div>'
        f'<div class="track" style="grid-row:{row}">{lane}</div>'
        for row, (name, lane) in enumerate(rows, start=1)
    )
    return (
        f'<section class="card"><h2>Timeline</h2><div class="timeline" style="--lanes:{len(rows)}">{cells}'
        '<div class="seek" id="seek" role="slider" tabindex="0" aria-label="Position in the video" '
        f'aria-valuemin="0" aria-valuemax="{duration_s:.2f}" aria-valuenow="0">'
        '<div class="ghost" id="ghost" hidden></div><div class="head" id="head"></div></div>'
        '<div class="tip" id="tip" hidden><span class="clock" id="tip-time"></span>'
        '<ol class="bars" id="tip-bars"></ol></div></div></section>'
    )


def _blocks(
    kind: str,
    blocks: Iterable[tuple[str, float, float]],
    colours: Mapping[str, Colour],
    duration_s: float,
) -> str:
    divs = "".join(
        f'<div class="part" style="left:{_share(start_s, duration_s)};'
        f"width:{_share(min(end_s, duration_s) - start_s, duration_s)};--c:{hex_colour(colours[label])};"
        f'--on:{_ink_on(colours[label])}" title="{html.escape(label)}">{html.escape(label)}</div>'
        for label, start_s, end_s in blocks
    )
    return f'<div class="lane {kind}">{divs}</div>'


def _curve(parts: Sequence[Stretch], index: int, colour: Colour, duration_s: float) -> str:
    steps = "".join(
        f"L{part.start_s:.3f} {1 - part.window.scores[index]:.4f}H{part.end_s:.3f}" for part in parts
    )
    return (
        f'<div class="lane"><svg viewBox="0 0 {max(duration_s, 1e-3):.3f} 1" preserveAspectRatio="none" '
        f'aria-hidden="true" style="--c:{hex_colour(colour)}"><path d="M0 1{steps}V1Z"/></svg></div>'
    )


def _axis(duration_s: float) -> str:
    step, ticks = time_ticks(duration_s)
    spans = []
    for tick in ticks:
        last = ' class="last"' if duration_s and tick > 0.96 * duration_s else ""
        spans.append(
            f'<span style="left:{_share(tick, duration_s)}"{last}>{clock(tick, tenths=step < 1)}</span>'
        )
    return f'<div class="axis">{"".join(spans)}</div>'


def _table(parts: Sequence[Stretch], labels: Sequence[str], colours: Mapping[str, Colour]) -> str:
    if not parts:
        return ""
    rows = []
    for index, part in enumerate(parts):
        best, *others = ranked(part.window.scores, labels, 3)
        then = ", ".join(f"{html.escape(label)} {_percent(score)}" for label, score in others)
        start, end = part.window.start_s, part.window.end_s
        rows.append(
            f'<tr data-window="{index}"><td><button type="button" data-time="{start:.3f}">'
            f"{clock(start)} &ndash; {clock(end)}</button></td>"
            f'<td><span class="who"><span class="dot" style="--c:{hex_colour(colours[best.label])}"></span>'
            f'{html.escape(best.label)}</span></td><td class="score">{_percent(best.score)}</td>'
            f'<td class="second">{then}</td></tr>'
        )
    return (
        '<section class="card"><h2>Windows</h2><div class="scroll"><table><thead><tr>'
        '<th scope="col">Time</th><th scope="col">Most likely</th><th scope="col" class="score">Score</th>'
        '<th scope="col" class="second">Then</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></section>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    if not facts:
        return ""
    items = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(str(v))}</dd>" for k, v in facts.items())
    return f'<section class="card"><h2>Facts</h2><dl>{items}</dl></section>'


def _pictures(pictures: Mapping[str, Path]) -> str:
    figures = []
    for caption, file in pictures.items():
        kind = _PICTURE_TYPES.get(Path(file).suffix.lower())
        if kind is None:
            raise ValueError(f"{file} can't be shown on the page; give a PNG, JPEG or WebP picture")
        source = f"data:{kind};base64,{base64.b64encode(Path(file).read_bytes()).decode()}"
        text = html.escape(caption)
        figures.append(
            f'<section class="card"><h2>{text}</h2>'
            f'<figure><img src="{source}" alt="{text}"></figure></section>'
        )
    return f'<div class="pictures">{"".join(figures)}</div>' if figures else ""


def _data(
    parts: Sequence[Stretch], labels: Sequence[str], colours: Mapping[str, Colour], duration_s: float
) -> str:
    """What the script needs, as JSON that can stand inside a script element."""
    places = {label: index for index, label in enumerate(labels)}
    windows: list[dict[str, Any]] = [
        {
            "from_s": round(part.start_s, 3),
            "start_s": round(part.window.start_s, 3),
            "end_s": round(part.window.end_s, 3),
            "top": [
                [places[label], round(score, 4)]
                for label, score in ranked(part.window.scores, labels, _TIP_LABELS)
            ],
        }
        for part in parts
    ]
    values = {
        "duration_s": round(duration_s, 3),
        "labels": list(labels),
        "colours": [hex_colour(colours[label]) for label in labels],
        "windows": windows,
    }
    # `</script>` or `<!--` in a label would end the script element or change how it is read.
    return json.dumps(values, ensure_ascii=False).replace("<", "\\u003c")


def _share(value: float, whole: float) -> str:
    return f"{min(max(value / whole if whole > 0 else 0.0, 0.0), 1.0) * 100:.3f}%"


def _percent(score: float) -> str:
    return "&lt;1%" if 0 < score < 0.005 else f"{score:.0%}"


def _ink_on(colour: Colour) -> str:
    """Black or white, whichever reads better on the colour (WCAG relative luminance)."""
    red, green, blue = ((c / 255 / 12.92) if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour)
    return "#fff" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 else "#10131a"
