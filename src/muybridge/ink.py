"""What every picture shares: colours, letters, clocks, and which window speaks for which moment.

The ten colours can be told apart with the common colour vision deficiencies. They are taken from Okabe and
Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/, and Paul Tol, "Colour Schemes" (2021),
https://personal.sron.nl/~pault/, without the ones that vanish on a white or on a black ground.
"""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from muybridge.types import Score, Window

if TYPE_CHECKING:
    from PIL import ImageFont

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (0x00, 0x72, 0xB2),  # blue
    (0xE6, 0x9F, 0x00),  # orange
    (0x00, 0x9E, 0x73),  # green
    (0xCC, 0x79, 0xA7),  # pink
    (0x56, 0xB4, 0xE9),  # sky
    (0xD5, 0x5E, 0x00),  # vermilion
    (0x99, 0x99, 0x33),  # olive
    (0xAA, 0x44, 0x99),  # purple
    (0xDD, 0xCC, 0x77),  # sand
    (0x8C, 0x8C, 0x8C),  # grey
)

_LEGIBLE_HEIGHT, _LEGIBLE_WIDTH = 360, 320
_LONGEST_SIDE = 4096  # what H.264 decoders in phones and browsers play
_TICKS_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


class Stretch(NamedTuple):
    """The part of a video for which one window speaks, in seconds."""

    start_s: float
    end_s: float
    window: Window


def label_colours(labels: Sequence[str], shown: Iterable[str] = ()) -> dict[str, Colour]:
    """One colour per label, the same in every picture of a model.

    A label's place in `labels` picks its colour. Beyond ten labels places share colours, so the first ten in
    `shown` are spread over free colours first, in their order.

    Args:
        labels: Every label of the model (`k`).
        shown: The labels that appear in the picture, most important first.
    """
    place = {label: index % len(PALETTE) for index, label in enumerate(labels)}
    wanted = list(dict.fromkeys(shown))
    for label in wanted:
        place.setdefault(label, len(place) % len(PALETTE))
    if len(place) > len(PALETTE):
        taken: set[int] = set()
        for label in wanted[: len(PALETTE)]:
            while place[label] in taken:
                place[label] = (place[label] + 1) % len(PALETTE)
            taken.add(place[label])
    return {label: PALETTE[index] for label, index in place.items()}


def hex_colour(colour: Colour) -> str:
    """`#rrggbb`, as CSS and matplotlib write it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ranked(scores: Sequence[float], labels: Sequence[str], count: int | None = None) -> list[Score]:
    """The `count` best labels, best first; ties keep the order of `labels`."""
    if len(scores) != len(labels):
        raise ValueError(f"a window has {len(scores)} scores for {len(labels)} labels; give one per label")
    best = sorted(range(len(labels)), key=lambda index: -scores[index])
    return [Score(labels[index], scores[index]) for index in best[:count]]


def leading_labels(windows: Sequence[Window], labels: Sequence[str], count: int) -> list[str]:
    """The `count` labels that reach the highest score in any window, highest first."""
    peaks = (
        [max(window.scores[index] for window in windows) for index in range(len(labels))] if windows else []
    )
    return [score.label for score in ranked(peaks, labels, count)] if windows else []


def answer_colours(
    labels: Sequence[str],
    windows: Sequence[Window],
    top: Iterable[Score] = (),
    others: Iterable[str] = (),
) -> dict[str, Colour]:
    """Colours of an answer's labels, the same in its overlay, its timeline and its report.

    Args:
        labels: Every label of the model (`k`).
        windows: The answer over time.
        top: The answer for the whole video.
        others: What else a picture shows, such as the truth.
    """
    leading = leading_labels(windows, labels, len(PALETTE))
    return label_colours(labels, [*leading, *(score.label for score in top), *others])


def stretches(windows: Sequence[Window], duration_s: float) -> list[Stretch]:
    """Divide the whole video among its windows: each moment belongs to the window with the nearest centre.

    Windows may overlap, leave gaps and come in any order; the stretches do neither.
    """
    ordered = sorted(windows, key=_centre)
    if not ordered:
        return []
    middles = [(_centre(one) + _centre(two)) / 2 for one, two in pairwise(ordered)]
    borders = [0.0, *(min(max(middle, 0.0), duration_s) for middle in middles), duration_s]
    found = [Stretch(*pair, window) for pair, window in zip(pairwise(borders), ordered, strict=True)]
    return [stretch for stretch in found if stretch.end_s > stretch.start_s] or found[:1]


def stretch_at(parts: Sequence[Stretch], time_s: float) -> int:
    """The index of the stretch that holds `time_s`; times outside belong to the first or the last."""
    return max(bisect_right(parts, time_s, key=lambda part: part.start_s) - 1, 0)


def _centre(window: Window) -> float:
    return (window.start_s + window.end_s) / 2


def legible_scale(height: int, width: int, *, beside: int = 1) -> int:
    """The whole number by which a video is enlarged so that text on it can be read: 1 from 360p upwards.

    Args:
        height: Rows of the video.
        width: Its columns.
        beside: Pictures of that size that stand side by side; together they stay within 4096 pixels.
    """
    wanted = max(-(-_LEGIBLE_HEIGHT // height), -(-_LEGIBLE_WIDTH // width))
    return max(min(wanted, _LONGEST_SIDE // (beside * max(height, width))), 1)


def clock(time_s: float, *, tenths: bool = True) -> str:
    """A time as people read it: `0:07.5`, `12:30.0`, `1:02:03.0`."""
    ticks = round(time_s * 10) if tenths else round(time_s) * 10
    minutes, seconds = divmod(ticks / 10, 60)
    hours, minutes = divmod(int(minutes), 60)
    second = f"{seconds:04.1f}" if tenths else f"{seconds:02.0f}"
    return f"{hours}:{minutes:02d}:{second}" if hours else f"{minutes}:{second}"


def time_ticks(duration_s: float) -> tuple[float, list[float]]:
    """A round distance for the marks of a time axis, and the marks: at most eleven from 0 to the end."""
    step = next((step for step in _TICKS_S if duration_s / step <= 10), None)
    step = step or 3600.0 * math.ceil(duration_s / 36000)
    return step, [step * index for index in range(math.floor(duration_s / step + 1e-9) + 1)]


def font_file(text: str) -> Path | None:
    """A TrueType file that has every character of `text`: DejaVu Sans where it can, else one of the system.

    Returns None if no font on this machine can write the text.
    """
    needed = {ord(character) for character in text if not character.isspace()}
    return next((path for path in _font_files() if needed <= _characters(path)), None)


def writable(label: str, index: int) -> str:
    """`label` as this machine's fonts can write it.

    Symbols that no font has (an emoji, say) are left out. A name with letters that no font has would be a row
    of empty boxes, the same for every such name, so it becomes `class 3`; installing a font for the script
    (`fonts-noto-cjk` on Debian for Chinese, Japanese and Korean) brings the name back. No warning is raised:
    the numbers are right either way, and the HTML report, where the browser brings the fonts, has the name.
    """
    label = " ".join(label.split())
    if label and font_file(label):
        return label
    missing = {character for character in label if font_file(character) is None}
    kept = " ".join("".join(character for character in label if character not in missing).split())
    lost_letters = any(unicodedata.category(character)[0] in "LN" for character in missing)
    return kept if kept and not lost_letters and font_file(kept) else f"class {index}"


@cache
def load_font(path: Path | None, size: int) -> ImageFont.FreeTypeFont:
    """The font of `font_file`, `size` pixels high; None gives DejaVu Sans."""
    from PIL import ImageFont

    return ImageFont.truetype(str(path or _font_files()[0]), size)


@cache
def _font_files() -> tuple[Path, ...]:
    import matplotlib
    from matplotlib.font_manager import findSystemFonts

    # Colour emoji fonts hold bitmaps of one size only; "last resort" fonts claim characters they can't draw.
    unfit = ("emoji", "lastresort", "symbol", "blank")
    system = [Path(path) for path in findSystemFonts() if not any(word in path.lower() for word in unfit)]
    regular = ("cjk", "wqy", "noto", "regular", "sans")
    slanted = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "serif")

    def plainness(path: Path) -> tuple[int, str]:
        name = path.name.lower()
        return sum(word in name for word in slanted) * 4 - sum(word in name for word in regular), str(path)

    ours = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return (ours, *sorted(system, key=plainness))


@cache
def _characters(path: Path) -> frozenset[int]:
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (RuntimeError, OSError, ValueError):  # a broken font of the system is not our reader's problem
        return frozenset()
