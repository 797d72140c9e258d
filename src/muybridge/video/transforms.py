"""From decoded frames to what a network takes: resize, crop, augment, normalise.

A clip comes as uint8 `(t, c, h, w)` and leaves as float `(c, t, h, w)`; whatever is random is drawn once per
clip, so that a person doesn't flicker between two brightnesses or jump between two crops. The arithmetic is
torchvision's (`transforms.v2.functional`); the draws are our own, because they can then come from an explicit
generator and be the same in any loader worker.

Frames stay uint8 until the last step: a resize costs a third of what it costs in float, and nothing outside
the crop is ever converted. Training resizes only the part that ends up in the crop. (One thread, 16 frames of
240x320 to 112x112: 2.5 ms; frames that already have their size: 0.3 ms; colours and noise double the first
figure.)

Optical flow comes as float32 `(t, 2n, h, w)`, in pixels of the frames it was computed on, channels x1, y1, x2, y2, ...
It is cropped and flipped like frames; a mirrored scene moves the other way, so its x is negated. Resizing does not
change its values: they stay pixels at `ClipSpec.short_side`, as in TSN (Wang et al. 2016,
https://arxiv.org/abs/1608.00859) and I3D. Frames and flow of the same moments are given as a pair.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from muybridge.types import ClipSpec

Box = tuple[int, int, int, int]
Clip = Tensor | tuple[Tensor, Tensor]
"""Frames, uint8 `(t, 3, h, w)`; or flow in pixels, float32 `(t, 2n, h, w)`; or both, frames first."""

FLOW_BOUND_PX = 20.0
"""Where flow is truncated before it is scaled to 0..1, as in all of the field's stored flow."""


class Augment(Protocol):
    """What `TrainTransform` reads; `muybridge.recipe.AugmentRecipe` is one."""

    @property
    def scale(self) -> tuple[float, float]:
        """Smallest and largest short side, as multiples of `ClipSpec.short_side`."""

    @property
    def shift(self) -> float:
        """How far from the centre a crop may lie: 0 is the centre alone, 1 anywhere in the frame."""

    @property
    def flip(self) -> float:
        """Probability of a left-right flip."""

    @property
    def flip_never(self) -> tuple[str, ...]:
        """Labels where left and right matter."""

    @property
    def brightness(self) -> float:
        """Brightness is multiplied by a factor drawn from 1 -+ this."""

    @property
    def contrast(self) -> float:
        """Contrast likewise."""

    @property
    def saturation(self) -> float:
        """Saturation likewise."""

    @property
    def noise(self) -> float:
        """Standard deviation of Gaussian noise, in units of 0..1 pixels."""


class TrainTransform:
    """One random view of a clip.

    In this order: the short side is jittered (VGG, Simonyan and Zisserman 2015,
    https://arxiv.org/abs/1409.1556), a square is cropped at random, the clip is flipped, brightness, contrast
    and saturation change, noise is added, and pixels are normalised. The jittered side never falls below the
    crop.

    Args:
        spec: Size of the crop, short side, mean and standard deviation.
        augment: How much may change.

    Raises:
        ValueError: A scale that isn't a rising pair of positive numbers.
    """

    def __init__(self, spec: ClipSpec, augment: Augment) -> None:
        low, high = augment.scale
        if not 0 < low <= high:
            raise ValueError(
                f"augment.scale is {(low, high)}; it must be two positive numbers, smaller first"
            )
        self.spec = spec
        self.augment = augment

    def __call__(
        self, clip: Clip, label: str | None = None, generator: torch.Generator | None = None
    ) -> Tensor:
        """Change a clip at random.

        Args:
            clip: Frames, flow or both, of any size. Flow has no colours: they and the noise change frames alone.
            label: The clip's class, so that those of `augment.flip_never` are not flipped.
            generator: Source of randomness; by default torch's own. The number of draws depends on the
                settings and the clip's length alone, never on the label.

        Returns:
            float32 `(c, t, size, size)`, normalised.

        Raises:
            ValueError: Not a clip of what the model sees.
        """
        parts = check_clip(clip, self.spec)
        scale, down, right, flip, *factors = torch.rand(7, generator=generator).tolist()
        down, right = (0.5 + (draw - 0.5) * self.augment.shift for draw in (down, right))
        parts = [self._crop(part, scale, down, right) for part in parts]
        if flip < self.augment.flip and (label is None or label not in self.augment.flip_never):
            parts = [mirror(part) for part in parts]
        if not parts[0].is_floating_point():
            parts[0] = self._recolour(parts[0], factors, generator)
        return normalize(_joined(parts, self.spec), self.spec)

    def _crop(self, clip: Tensor, scale: float, down: float, right: float) -> Tensor:
        low, high = self.augment.scale
        size = self.spec.size
        short_side = max(round(self.spec.short_side * (low + (high - low) * scale)), size)
        height, width = clip.shape[-2:]
        tall, wide = resized_size(height, width, short_side)
        top, left = int(down * (tall - size + 1)), int(right * (wide - size + 1))
        if (tall, wide) == (height, width):
            return clip[..., top : top + size, left : left + size]
        # Where the crop comes from in the frame as it is: resizing that part alone, to the nearest whole
        # pixel, is cheaper by the ratio of the frame's area to the crop's.
        box_height = max(round(size * height / tall), 1)
        box_width = max(round(size * width / wide), 1)
        box_top = min(round(top * height / tall), height - box_height)
        box_left = min(round(left * width / wide), width - box_width)
        part = clip[..., box_top : box_top + box_height, box_left : box_left + box_width]
        return _resize(part, size, size)

    def _recolour(self, clip: Tensor, draws: list[float], generator: torch.Generator | None) -> Tensor:
        amounts = (self.augment.brightness, self.augment.contrast, self.augment.saturation)
        if not any(amounts) and not self.augment.noise:
            return clip
        pixels: Tensor = F.to_dtype(clip, torch.float32, scale=True)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)
        for change, amount, draw in zip(changes, amounts, draws, strict=True):
            if amount:
                pixels = change(pixels, max(1 + amount * (2 * draw - 1), 0.0))
        if self.augment.noise:
            noise = torch.randn(pixels.shape, generator=generator).to(pixels)
            pixels = pixels.add(noise, alpha=self.augment.noise).clamp_(0, 1)
        return pixels


class TestTransform:
    """The fixed views of a clip at test time: the short side is resized, then 1 or 3 squares are cut.

    Three crops are the spatial half of the 10 x 3 views of Non-local networks (Wang et al. 2018,
    https://arxiv.org/abs/1711.07971).

    Args:
        spec: Size of the crop, short side, mean and standard deviation.
        crops: 1 or 3; by default `spec.test_crops`.

    Raises:
        ValueError: Another number of crops.
    """

    __test__ = False  # the name is the subject's, not a test's: pytest shall not collect it

    def __init__(self, spec: ClipSpec, crops: int | None = None) -> None:
        self.spec = spec
        self.crops = _check_crops(spec.test_crops if crops is None else crops)

    def __call__(self, clip: Clip) -> Tensor:
        """Cut the views.

        Args:
            clip: Frames, flow or both, of any size. What already has the short side is not resized.

        Returns:
            float32 `(v, c, t, size, size)`, normalised; `v` crops from left to right, or from top to bottom.

        Raises:
            ValueError: Not a clip of what the model sees.
        """
        parts = []
        for part in check_clip(clip, self.spec):
            part = to_short_side(part, self.spec.short_side)
            boxes = crop_boxes(part.shape[-2], part.shape[-1], self.spec.size, self.crops)
            parts.append(
                torch.stack([part[..., top : top + h, left : left + w] for top, left, h, w in boxes])
            )
        return normalize(_joined(parts, self.spec), self.spec)


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width after a resize that makes the shorter side `short_side`, in pixels.

    The longer side keeps the proportion, rounded to the nearest pixel, halves up; in integers, so that the
    reader and the transforms always agree.

    Raises:
        ValueError: A size below 1.
    """
    if min(height, width, short_side) < 1:
        raise ValueError(
            f"can't resize {width}x{height} to a short side of {short_side}; all must be at least 1"
        )
    if height <= width:
        return short_side, (2 * width * short_side + height) // (2 * height)
    return (2 * height * short_side + width) // (2 * width), short_side


def crop_boxes(height: int, width: int, size: int, crops: int) -> list[Box]:
    """The test crops of a frame as `(top, left, height, width)`, in pixels of the resized frame.

    One crop lies in the centre. Three lie at the start, centre and end of the longer side (of the width, if
    both are equal), in the middle of the shorter. A centre that falls between pixels goes up and left.

    Raises:
        ValueError: Neither 1 nor 3 crops, or a frame smaller than the crop.
    """
    if _check_crops(crops) and not 1 <= size <= min(height, width):
        raise ValueError(f"can't cut {size}x{size} from a frame of {width}x{height}; resize it first")
    top, left = (height - size) // 2, (width - size) // 2
    if crops == 1:
        return [(top, left, size, size)]
    if width >= height:
        return [(top, x, size, size) for x in (0, left, width - size)]
    return [(y, left, size, size) for y in (0, top, height - size)]


def normalize(clip: Tensor, spec: ClipSpec) -> Tensor:
    """Pixels to the network's scale: 0..1, minus `spec.mean`, divided by `spec.std`, in the network's layout.

    Args:
        clip: uint8 `(..., t, c, h, w)`, or float in 0..1.
        spec: Its `mean` and `std`.

    Returns:
        float32 `(..., c, t, h, w)`.
    """
    largest = 1.0 if clip.is_floating_point() else 255.0
    mean = torch.tensor(spec.mean, device=clip.device).view(-1, 1, 1, 1) * largest
    std = torch.tensor(spec.std, device=clip.device).view(-1, 1, 1, 1) * largest
    # The subtraction itself makes uint8 float: touching new memory costs more than the arithmetic on it.
    return (to_model_layout(clip) - mean).div_(std)


def to_model_layout(clip: Tensor) -> Tensor:
    """From readers to networks: `(..., t, c, h, w)` becomes `(..., c, t, h, w)`, contiguous."""
    return clip.transpose(-4, -3).contiguous()


def check_clip(clip: Clip, spec: ClipSpec) -> list[Tensor]:
    """The parts of a clip, frames before flow, having refused what the model doesn't see.

    Raises:
        ValueError: Says what the tensor is instead.
    """
    parts = list(clip) if isinstance(clip, tuple) else [clip]
    kinds = spec.modality.split("+")
    if len(parts) != len(kinds):
        raise ValueError(f"{len(parts)} tensors were given for a model that sees {spec.modality}")
    for part, kind in zip(parts, kinds, strict=True):
        if kind == "rgb":
            channels, fits = 3, part.dtype == torch.uint8
            wanted = "RGB frames, torch.uint8 (t, 3, h, w), as Video.frames gives them"
        else:
            channels, fits = spec.channels - 3 * (len(kinds) - 1), part.is_floating_point()
            wanted = f"flow in pixels, torch.float32 (t, {channels}, h, w)"
        if part.ndim != 4 or part.shape[1] != channels or not fits or 0 in part.shape:
            raise ValueError(
                f"a clip of {part.dtype} {tuple(part.shape)} was given; transforms take {wanted}"
            )
    return parts


def mirror(part: Tensor) -> Tensor:
    """Frames or flow of the scene in a mirror: left is right. What moved right moves left, so x of flow is negated.

    Args:
        part: uint8 `(t, 3, h, w)`, or flow `(t, 2n, h, w)` with channels x1, y1, x2, y2, ...
    """
    mirrored: Tensor = F.horizontal_flip(part)
    if part.is_floating_point():
        mirrored[..., ::2, :, :].neg_()  # a copy of our own: flipping never gives a view
    return mirrored


def unit_flow(flow: Tensor) -> Tensor:
    """Flow in pixels to 0..1, which `normalize` then takes like pixels: truncated at 20 pixels, 0.5 stands still."""
    return flow.clamp(-FLOW_BOUND_PX, FLOW_BOUND_PX).add_(FLOW_BOUND_PX).div_(2 * FLOW_BOUND_PX)


def to_short_side(part: Tensor, short_side: int) -> Tensor:
    """Frames or flow whose shorter side is `short_side` pixels; values of flow stay what they are."""
    height, width = resized_size(part.shape[-2], part.shape[-1], short_side)
    return _resize(part, height, width)


def _joined(parts: list[Tensor], spec: ClipSpec) -> Tensor:
    """What the model sees, one channel after the other; RGB alone stays uint8."""
    if spec.modality == "rgb":
        return parts[0]
    flow = unit_flow(parts[-1])
    return (
        flow
        if len(parts) == 1
        else torch.cat([F.to_dtype(parts[0], torch.float32, scale=True), flow], dim=-3)
    )


def _check_crops(crops: int) -> int:
    if crops not in (1, 3):
        raise ValueError(f"crops is {crops}; it must be 1 or 3")
    return crops


def _resize(clip: Tensor, height: int, width: int) -> Tensor:
    if clip.shape[-2:] == (height, width):
        return clip
    resized: Tensor = F.resize(clip, [height, width], InterpolationMode.BILINEAR, antialias=True)
    return resized
