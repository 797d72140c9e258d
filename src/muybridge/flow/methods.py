"""The ways to compute optical flow, behind one signature.

Every method is a function of two batches of grey or RGB pictures that gives one field per pair. Here it is found by
its name, fed in chunks that bound the memory, and kept for a caller that streams (`open_method`, `stream_flow`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from muybridge.devices import choose_device

Progress = Callable[[int, int], None]
"""Called with the number of pairs done and of all pairs."""

METHODS: dict[str, str] = {
    "tvl1": "TV-L1 (Zach, Pock, Bischof 2007) in PyTorch: what two-stream networks were trained on; CPU and GPU",
    "raft_small": "RAFT (Teed, Deng 2020), the small network of torchvision; for the GPU",
    "raft_large": "RAFT (Teed, Deng 2020), the large network of torchvision; for the GPU",
    "farneback": "polynomial expansion (Farnebäck 2003), OpenCV",
    "dis": "dense inverse search (Kroeger et al. 2016), OpenCV; the fastest",
    "opencv_tvl1": "TV-L1, OpenCV: the reference that `tvl1` is measured against",
}
_HOME = {
    "tvl1": "tvl1",
    "raft_small": "raft",
    "raft_large": "raft",
    "farneback": "classical",
    "dis": "classical",
    "opencv_tvl1": "classical",
}
Estimate = Callable[[Tensor, Tensor], Tensor]
"""Two batches of pictures, float32 0..255 `(n, c, h, w)` on one device -> flow float32 `(n, 2, h, w)`."""


class FlowMaker:
    """A method that is open: its network is loaded, its settings are checked.

    Call it with two batches of pictures, uint8 or float 0..255 `(n, c, h, w)`, c 1 or 3 (RGB); it gives their flow,
    float32 `(n, 2, h, w)` in pixels, on the device of the first batch.

    Attributes:
        method: Its name, one of `METHODS`.
        device: Where it computes; None: where the pictures are.
        chunk: Pairs that are computed together; None: as many as suit the method, the device and the pictures.
    """

    def __init__(
        self, method: str, device: torch.device | None, chunk: int | None, estimate: Estimate
    ) -> None:
        self.method = method
        self.device = device
        self.chunk = chunk
        self._estimate = estimate

    def __repr__(self) -> str:
        where = f", device={str(self.device)!r}" if self.device else ""
        return f"FlowMaker({self.method!r}{where})"

    @torch.no_grad()
    def __call__(self, first: Tensor, second: Tensor, *, progress: Progress | None = None) -> Tensor:
        """Flow from each picture of `first` to the one of `second`.

        Raises:
            ValueError: The pictures have not the shape or the values that are wanted.
        """
        _check_pictures(first)
        if second.shape != first.shape or second.dtype != first.dtype:
            raise ValueError(
                f"the first pictures are {_said(first)}, the second {_said(second)}; flow needs pairs of one size"
            )
        total, _, height, width = first.shape
        fields = torch.empty(total, 2, height, width, device=first.device)
        device, chunk = self.device or first.device, self.pairs_at_once(first)
        for start in range(0, total, chunk):
            part = slice(start, start + chunk)
            fields[part] = self._estimate(first[part].to(device).float(), second[part].to(device).float())
            if progress:
                progress(min(start + chunk, total), total)
        return fields

    def pairs_at_once(self, pictures: Tensor) -> int:
        """How many pairs of pictures `(n, c, h, w)` are computed together."""
        if self.chunk is not None:
            return self.chunk
        device = self.device or pictures.device
        return _home(self.method).pairs_at_once(pictures.shape[2] * pictures.shape[3], device)  # type: ignore[no-any-return]


def open_method(
    method: str = "tvl1",
    *,
    device: torch.device | str | None = None,
    chunk: int | None = None,
    **options: Any,
) -> FlowMaker:
    """A method, ready for many calls: networks are loaded and settings checked once.

    Args:
        method: One of `METHODS`.
        device: Where to compute; None: where the pictures are. The methods of OpenCV compute on the CPU.
        chunk: Pairs that are computed together: more need more memory. None: as many as suit the method, the device
            and the pictures.
        options: Settings of the method, by its own names; see `muybridge.flow.tvl1.open_tvl1`,
            `muybridge.flow.raft.open_raft_small`, and `muybridge.flow.classical`.

    Raises:
        ValueError: No such method, setting or device, or a package that it needs is missing.
        WeightsError: The weights of RAFT can't be had.
    """
    check_method(method)
    where = None if device is None else choose_device(device)
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is {chunk}; it must be at least 1")
    opener = getattr(_home(method), f"open_{method}")
    known = [name for name in inspect.signature(opener).parameters if name != "device"]
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? It" if near else "it"
            raise ValueError(f"{method} has no setting {name!r}; {hint} knows {', '.join(known)}")
    return FlowMaker(method, where, chunk, opener(device=where, **options))


def flow(
    frames: Tensor,
    *,
    method: str | FlowMaker = "tvl1",
    device: torch.device | str | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Tensor:
    """Optical flow between consecutive frames.

    Args:
        frames: uint8 or float 0..255 `(t, c, h, w)`, c 1 or 3 (RGB).
        method: One of `METHODS`, or what `open_method` gave (then nothing else may be set).
        device: Where to compute; None: where the frames are.
        chunk: Pairs that are computed together, which bounds the memory; None: as `open_method` says.
        progress: Called with (done, total) pairs.
        options: Settings of the method.

    Returns:
        float32 `(t - 1, 2, h, w)` on the device of `frames`: x (to the right), then y (downwards), in pixels. Field i
        goes from frame i to frame i + 1.

    Raises:
        ValueError: No such method or setting, or frames that no flow can be made of.
        WeightsError: The weights of RAFT can't be had.
    """
    _check_pictures(frames)
    if len(frames) < 2:
        raise ValueError(f"flow is made of two frames or more; there {'is 1' if len(frames) else 'are none'}")
    return flow_between(
        frames[:-1], frames[1:], method=method, device=device, chunk=chunk, progress=progress, **options
    )


def flow_between(
    first: Tensor,
    second: Tensor,
    *,
    method: str | FlowMaker = "tvl1",
    device: torch.device | str | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Tensor:
    """Optical flow of pairs: from each picture of `first` to the one of `second`.

    Both are uint8 or float 0..255 `(n, c, h, w)`; the rest is as in `flow`.

    Returns:
        float32 `(n, 2, h, w)` on the device of `first`, in pixels.
    """
    return _opened(method, device, chunk, options)(first, second, progress=progress)


def stream_flow(
    frames: Iterable[Tensor],
    *,
    method: str | FlowMaker = "tvl1",
    device: torch.device | str | None = None,
    chunk: int | None = None,
    **options: Any,
) -> Iterator[Tensor]:
    """Optical flow of a film of any length in constant memory.

    Args:
        frames: The frames in order, in parts `(t, c, h, w)` of any length, uint8 or float 0..255.
        method: As the rest, see `flow`.
        device: Where to compute.
        chunk: Pairs that are computed together.
        options: Settings of the method.

    Yields:
        Fields in order, in parts float32 `(n, 2, h, w)`, as they are computed: one less than there are frames.

    Raises:
        ValueError: As `flow`; a film of less than two frames too.
    """
    maker = _opened(method, device, chunk, options)
    waiting: Tensor | None = None
    count = 0
    for part in frames:
        _check_pictures(part)
        count += len(part)
        waiting = part if waiting is None else torch.cat([waiting, part])
        chunk = maker.pairs_at_once(part)
        while len(waiting) > chunk:
            yield maker(waiting[:chunk], waiting[1 : chunk + 1])
            waiting = waiting[chunk:]
    if count < 2 or waiting is None:
        raise ValueError(f"flow is made of two frames or more; there {'is 1' if count else 'are none'}")
    if len(waiting) > 1:
        yield maker(waiting[:-1], waiting[1:])


def check_method(name: str) -> str:
    """The name of a method that can be used here.

    Raises:
        ValueError: There is none of that name (the text says the nearest), or its package is missing.
    """
    if name == "lucas_kanade":
        raise ValueError(
            "lucas_kanade follows single points and gives no field; muybridge.flow.track_points(frames) gives tracks"
        )
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        hint = f"did you mean {near[0]!r}? There are" if near else "there are"
        raise ValueError(f"there is no flow method {name!r}; {hint} {', '.join(METHODS)}")
    if _HOME[name] == "classical" and find_spec("cv2") is None:
        raise ValueError(f"{name} needs OpenCV; type: pip install 'muybridge[flow]'")
    return name


def _home(method: str) -> Any:
    return import_module(f"muybridge.flow.{_HOME[method]}")


def _opened(
    method: str | FlowMaker,
    device: torch.device | str | None,
    chunk: int | None,
    options: dict[str, Any],
) -> FlowMaker:
    if isinstance(method, str):
        return open_method(method, device=device, chunk=chunk, **options)
    if device is not None or chunk is not None or options:
        raise ValueError(f"{method!r} is open already; give device, chunk and settings to open_method")
    return method


def _check_pictures(pictures: Tensor) -> None:
    if pictures.ndim != 4 or pictures.shape[1] not in (1, 3):
        raise ValueError(
            f"flow needs pictures (t, c, h, w) with 1 or 3 channels; these are {_said(pictures)}"
        )
    if pictures.dtype != torch.uint8 and not pictures.is_floating_point():
        raise ValueError(f"flow needs pictures of uint8 or float 0..255; these are {_said(pictures)}")
    if min(pictures.shape[2:]) < 1:
        raise ValueError(f"flow needs pictures with pixels; these are {_said(pictures)}")


def _said(pictures: Tensor) -> str:
    return f"{str(pictures.dtype).removeprefix('torch.')} {tuple(pictures.shape)}"


def grey(pictures: Tensor) -> Tensor:
    """Luma of ITU-R BT.601, as `cv2.cvtColor` takes it but not rounded: float32 `(n, c, h, w)` -> `(n, h, w)`."""
    if pictures.shape[1] == 1:
        return pictures[:, 0].float()
    weights = torch.tensor([0.299, 0.587, 0.114], device=pictures.device)
    return torch.einsum("nchw,c->nhw", pictures.float(), weights)
