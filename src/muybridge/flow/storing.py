"""How flow is stored, and how near what is stored comes to what was computed."""

from __future__ import annotations

from dataclasses import dataclass

from muybridge.flow.planes import Facts
from muybridge.flow.scale import BOUND_PX, check_bound
from muybridge.flow.store import FORMATS, Format

QUALITY = {"video": 10, "jpeg": 95}


@dataclass(frozen=True, kw_only=True, slots=True)
class Storing:
    """How flow is stored.

    Attributes:
        format: `video`: a grey film, x above y; `jpeg`: pairs of images in MMAction2's layout.
        short_side: Length of the shorter side of the pictures that flow is made of, in pixels; smaller videos keep
            their size. None: all do.
        bound: Where flow is truncated, in pixels.
        quality: Of a film the quantizer, 0 (lossless) to 51 (worst); of JPEGs 1 (worst) to 100. None: 10 and 95.
    """

    format: Format = "video"
    short_side: int | None = 256
    bound: float = BOUND_PX
    quality: int | None = None

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ValueError(f"there is no store format {self.format!r}; it is one of {', '.join(FORMATS)}")
        if self.short_side is not None and self.short_side < 16:
            raise ValueError(f"short_side is {self.short_side}; give 16 pixels or more, for example 256")
        check_bound(self.bound)
        least, most = (0, 51) if self.format == "video" else (1, 100)
        if self.quality is not None and not least <= self.quality <= most:
            said = "0 (lossless) to 51 (worst)" if self.format == "video" else "1 (worst) to 100"
            raise ValueError(
                f"quality is {self.quality}; for {self.format} give {said}, for example {QUALITY[self.format]}"
            )

    def facts(self) -> Facts:
        """What is kept with the flow."""
        quality = QUALITY[self.format] if self.quality is None else self.quality
        return {"bound_px": self.bound, "asked_short_side": self.short_side, "quality": quality}


@dataclass(kw_only=True)
class Measured:
    """How near stored flow is to the flow that was computed.

    Attributes:
        fields: Fields.
        bytes: On the disk.
        values: Displacements, two per pixel and field.
        beyond: How many of them were longer than the bound.
        squares: Sum of squared errors of the others, in square pixels.
        worst_px: The largest error among them, in pixels.
    """

    fields: int = 0
    bytes: int = 0
    values: int = 0
    beyond: int = 0
    squares: float = 0.0
    worst_px: float = 0.0

    def add(self, other: Measured) -> None:
        """Count another part or video in."""
        for name in ("fields", "bytes", "values", "beyond", "squares"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.worst_px = max(self.worst_px, other.worst_px)

    @property
    def rms_px(self) -> float:
        """Root mean square error of what is within the bound, in pixels."""
        return float((self.squares / max(self.values - self.beyond, 1)) ** 0.5)

    def __str__(self) -> str:
        return (
            f"{self.bytes / 1e6:.2f} MB, {self.bytes / max(self.fields, 1):.0f} bytes per field; error "
            f"{self.rms_px:.3f} px rms, at most {self.worst_px:.2f}; beyond the bound "
            f"{self.beyond / max(self.values, 1):.2%}"
        )
