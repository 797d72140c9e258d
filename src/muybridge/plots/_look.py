"""What every plot shares: ink, letters that are set as they are, and files that appear whole."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

from muybridge.files import appearing
from muybridge.ink import font_file

DPI = 150
INK, MUTED, GRID = "#1d2129", "#5b6470", "#e3e6ea"


def style(axes: Axes, title: str) -> None:
    heading = axes.set_title(plain(title, 60), loc="left", fontsize=11.5, fontweight="bold", color=INK)
    write(heading)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#b9c0c9")
    axes.grid(True, axis="y", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, length=3, labelsize=9)
    axes.xaxis.label.set_color(MUTED)
    axes.yaxis.label.set_color(MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))


def plain(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def write(text: Text) -> None:
    """Let a text be set as it is: `$` is no formula, and the font is one that has its letters."""
    text.set_parse_math(False)
    font = font_file(text.get_text())
    if font is not None and font.name != "DejaVuSans.ttf":
        text.set_fontproperties(FontProperties(fname=str(font), size=text.get_fontsize()))


def save(figure: Figure, path: Path) -> Path:
    path = Path(path)
    with appearing(path) as temporary:
        figure.savefig(
            temporary, dpi=DPI, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.15
        )
    return path
