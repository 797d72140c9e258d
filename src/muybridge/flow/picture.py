"""Flow drawn on a frame: colour over it, arrows, tracks with tails, and the legend that says what a colour means."""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.nn import functional as F

from muybridge.flow.colour import Magnitude, colour_flow, colour_wheel
from muybridge.ink import Colour, load_font

_GROUND, _WHITE, _DARK = (12, 14, 18, 178), (255, 255, 255), (12, 14, 18)
_NICE = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
_COVER = 0.85  # how much of a frame the fastest motion hides


def nice_length(pixels: float) -> float:
    """A length that reads well in a legend, such as 1.5, 4 or 20: at least 1, and hardly less than `pixels`."""
    for power in (1.0, 10.0, 100.0, 1000.0):
        for step in _NICE:
            if pixels <= step * power * 1.05:
                return step * power
    return pixels


def lay_over(frame: Tensor, field: Tensor, *, largest: float) -> Tensor:
    """Colour what moves, and leave what rests as it is, in grey.

    Args:
        frame: uint8 `(3, h, w)`.
        field: Its flow, `(2, h, w)`, in pixels.
        largest: Length that has the full colour, in pixels.

    Returns:
        uint8 `(3, h, w)`.
    """
    length = torch.linalg.vector_norm(field.float(), dim=0)
    hues = colour_flow((field.float() / length.clamp(min=1e-6))[None], largest=1.0)[0].float()
    share = _COVER * (length / largest).clamp(max=1.0)
    luma = frame.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32).view(3, 1, 1)
    grey = (frame.float() * luma).sum(dim=0)
    mixed: Tensor = grey * (1 - share) + hues * share
    return mixed.round().to(torch.uint8)


def draw_arrows(
    picture: Tensor, field: Tensor, *, largest: float, step: int | None = None, colour: Colour = _WHITE
) -> Tensor:
    """Draw flow as arrows on a grid; each shows the mean of its cell.

    Args:
        picture: uint8 `(3, H, W)`; may be larger than the field by any factor.
        field: Flow `(2, h, w)`, in pixels.
        largest: Length that is drawn one and a half cells long, as longer ones are, in pixels. Rest is a point.
        step: Side of a cell in pixels of the picture; None: about 20 cells along the longer side.
        colour: Of the arrows; they have an edge that stands out from it.

    Returns:
        A new picture, uint8 `(3, H, W)`.
    """
    height, width = picture.shape[1:]
    step = step or max(round(max(height, width) / 20), 6)
    rows, columns = max(height // step, 1), max(width // step, 1)
    means = F.adaptive_avg_pool2d(field.float()[None], (rows, columns))[0] / largest
    means *= 1.5 * step / torch.linalg.vector_norm(means, dim=0).clamp(min=1.0)
    arrows: list[tuple[float, ...]] = [
        ((column + 0.5) * width / columns, (row + 0.5) * height / rows, *means[:, row, column].tolist())
        for row in range(rows)
        for column in range(columns)
    ]
    image = _image(picture)
    draw = ImageDraw.Draw(image)
    thick = max(round(step / 14), 1)
    edge = _DARK if sum(colour) > 382 else _WHITE
    for wide, ink in ((thick + 2, edge), (thick, colour)):
        for x, y, dx, dy in arrows:
            _draw_arrow(draw, x, y, dx, dy, wide, ink)
    return _tensor(image)


def _draw_arrow(
    draw: ImageDraw.ImageDraw, x: float, y: float, dx: float, dy: float, wide: int, ink: Colour
) -> None:
    """An arrow whose middle lies at (x, y)."""
    length = math.hypot(dx, dy)
    if length < 3:
        radius = wide / 2 - 0.5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), ink)
        return
    tip, head = (x + dx / 2, y + dy / 2), min(max(0.35 * length, 3.0), 9.0) / length
    draw.line((x - dx / 2, y - dy / 2, *tip), ink, wide)
    for side in (0.6, -0.6):
        draw.line((*tip, tip[0] - head * (dx + side * dy), tip[1] - head * (dy - side * dx)), ink, wide)


def draw_tracks(
    picture: Tensor,
    tracks: Tensor,
    alive: Tensor | None = None,
    *,
    largest: float,
    tail: int = 15,
    scale: float = 1.0,
) -> Tensor:
    """Draw points with the way that they have come; a tail's colour tells direction and speed by the colour wheel.

    Args:
        picture: uint8 `(3, H, W)`, the frame of the last row of `tracks`.
        tracks: `(t, n, 2)`, (x, y) of each point in the last t frames.
        alive: bool `(t, n)`, whether the point was there; None: always. What isn't there in the last frame is not
            drawn; tails begin where a point appears.
        largest: Motion from frame to frame that has the full colour, in pixels of `tracks`.
        tail: Frames that tails go back.
        scale: Pixels of the picture per pixel of `tracks`.

    Returns:
        A new picture, uint8 `(3, H, W)`.
    """
    if tracks.ndim != 3 or tracks.shape[2] != 2 or (alive is not None and alive.shape != tracks.shape[:2]):
        said = "" if alive is None else f", alive {tuple(alive.shape)}"
        raise ValueError(f"tracks must be (t, n, 2) and alive (t, n); they are {tuple(tracks.shape)}{said}")
    tracks = tracks[-tail - 1 :].float()
    there = torch.ones(tracks.shape[:2], dtype=torch.bool) if alive is None else alive[-tail - 1 :]
    image = _image(picture)
    draw = ImageDraw.Draw(image)
    thick = max(round(min(picture.shape[1:]) / 240), 1)
    steps = torch.zeros(max(len(tracks) - 1, 1), tracks.shape[1], 2)
    steps[: len(tracks) - 1] = (tracks[1:] - tracks[:-1]) * (there[1:] & there[:-1])[..., None]
    colours = colour_flow(steps.permute(2, 0, 1)[None], largest=largest)[0].permute(1, 2, 0).tolist()
    # Points lie in the middle of pixels.
    places = ((tracks + 0.5) * scale).tolist()
    shown = there.flip(0).long().cumprod(0).flip(0).bool()  # unbroken up to now
    for point in torch.nonzero(shown[-1]).flatten().tolist():
        for age, (before, after) in enumerate(pairwise(range(len(places)))):
            if shown[before, point]:
                ends = (*places[before][point], *places[after][point])
                draw.line(ends, tuple(colours[age][point]), thick)
        x, y = places[-1][point]
        colour = tuple(colours[-1][point])
        radius = thick + 0.5
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour, _DARK)
    return _tensor(image)


def draw_legend(
    picture: Tensor, *, largest: float, magnitude: Magnitude = "saturation", corner: str = "right"
) -> Tensor:
    """Draw the colour wheel with its scale into a lower corner.

    Args:
        picture: uint8 `(3, h, w)`.
        largest: Length that has the full colour, in pixels.
        magnitude: What length is; as for `colour_flow`.
        corner: `left` or `right`.

    Returns:
        A new picture, uint8 `(3, h, w)`; the same one again where the legend wouldn't fit.
    """
    em = max(round(min(picture.shape[1], 0.75 * picture.shape[2]) / 26), 12)
    patch = _legend(em, largest, magnitude)
    margin = em // 2
    left = margin if corner == "left" else picture.shape[2] - patch.width - margin
    top = picture.shape[1] - patch.height - margin
    if left < 0 or top < 0:
        return picture.clone()
    image = _image(picture)
    image.paste(patch, (left, top), patch)
    return _tensor(image)


@cache
def _legend(em: int, largest: float, magnitude: Magnitude) -> Image.Image:
    size, pad = round(3.6 * em), max(em // 3, 3)
    text, font = f"{largest:g} px", load_font(None, em)
    width = max(size, round(font.getlength(text))) + 2 * pad
    patch = Image.new("RGBA", (width, size + round(1.3 * em) + 2 * pad))
    draw = ImageDraw.Draw(patch)
    draw.rounded_rectangle((0, 0, patch.width - 1, patch.height - 1), em // 3, fill=_GROUND)
    patch.paste(wheel_image(size, magnitude), ((width - size) // 2, pad), wheel_image(size, magnitude))
    draw.text((width / 2, pad + size + 1.05 * em), text, fill=_WHITE, font=font, anchor="ms")
    return patch


@cache
def wheel_image(size: int, magnitude: Magnitude) -> Image.Image:
    """The colour wheel as RGBA with a smooth edge, transparent around it."""
    fine = 4
    wheel = _image(colour_wheel(size * fine, magnitude=magnitude))
    mask = Image.new("L", wheel.size)
    ImageDraw.Draw(mask).ellipse((fine, fine, size * fine - fine - 1, size * fine - fine - 1), fill=255)
    wheel.putalpha(mask)
    return wheel.resize((size, size), Image.Resampling.BOX)


def enlarge(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture, uint8 `(3, h, w)`, at another size (rows, columns), bilinear."""
    if tuple(picture.shape[1:]) == size:
        return picture.clone()
    return F.interpolate(picture[None], size=size, mode="bilinear", align_corners=False)[0].contiguous()


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())


def _tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
