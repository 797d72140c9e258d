"""Trajectories as a file, .safetensors or .npz, written as they come and read in parts.

Descriptors are stored in half precision: they lie within -1..1, and rounding changes them by 0.05 % at most.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Any, Self

import numpy as np

from muybridge.files import appearing, check_target
from muybridge.trajectories.drawing import TrackWriter
from muybridge.trajectories.extract import watch
from muybridge.trajectories.settings import DESCRIPTORS, Settings, Trajectories, nothing
from muybridge.types import VideoError
from muybridge.video.reader import Video

SUFFIXES = (".safetensors", ".npz")
FORMAT = "muybridge trajectories of a video 1"
_ROWS = 1 << 12
Shapes = dict[str, tuple[int, ...]]
Parts = dict[str, IO[bytes]]

_NAMES = tuple(field.name for field in fields(Trajectories))
_SAFETENSORS_TYPES = {"float16": "F16", "float32": "F32", "int32": "I32"}


@dataclass(frozen=True, slots=True)
class Saved:
    """What `save_trajectories` did.

    Attributes:
        path: The file.
        count: Trajectories in it.
        scenery: Trajectories that were left out because they move with the scene.
        frames: Frames that were read.
        ready: Whether the file was there already, made from the same video with the same settings.
    """

    path: Path
    count: int
    scenery: int
    frames: int
    ready: bool = False


def save_trajectories(
    video: str | Path,
    path: str | Path,
    *,
    settings: Settings | None = None,
    flow: str = "farneback",
    short_side: int | None = 256,
    device: str | None = None,
    draw: Path | None = None,
    again: bool = True,
    progress: Any = None,
) -> Saved:
    """Find a video's trajectories and write them into a file, in one pass and constant memory.

    Args:
        video: The video.
        path: The file, `.safetensors` or `.npz`; it appears when it is whole.
        settings: As for `find_trajectories`, like the next three.
        flow: Method of optical flow.
        short_side: Larger videos are made so small first.
        device: Where flow is computed.
        draw: An MP4 to write on which the trajectories are drawn.
        again: Do it also where all is there, made from this video with these settings.
        progress: Called with (frames done, frames in all).

    Raises:
        VideoError: The video can't be read, is too small or too short.
        ValueError: A name that ends otherwise, or a folder that isn't there.
    """
    settings, path, video = settings or Settings(), Path(path), Path(video)
    check_name(path)
    with Video(video) as opened:
        about: dict[str, Any] = {
            "video": opened.name,
            "bytes": video.stat().st_size if video.is_file() else None,
            "frames": len(opened),
            "fps": str(opened.meta.fps),
            "settings": asdict(settings),
            "flow": flow,
            "short_side": short_side,
        }
        if not again and (draw is None or draw.exists()) and (there := _ready(path, about)) is not None:
            return there
        with ExitStack() as stack:
            file = stack.enter_context(TrajectoryFile(path, settings, about))
            painter = None
            if draw is not None:
                painter = stack.enter_context(
                    TrackWriter(
                        draw,
                        fps=opened.meta.fps,
                        length=settings.length,
                        audio_from=video if video.is_file() else None,
                    )
                )
            for moment in watch(
                opened, settings=settings, flow=flow, short_side=short_side, device=device, progress=progress
            ):
                if not moment.frame:
                    about["height"], about["width"] = moment.picture.shape[1:]
                file.add(moment.found.kept)
                about["scenery"] = about.get("scenery", 0) + len(moment.found.scenery)
                if painter is not None:
                    painter.take(moment)
    return Saved(path, file.count, about["scenery"], about["frames"])


def _ready(path: Path, about: dict[str, Any]) -> Saved | None:
    try:
        stored = StoredTrajectories(path)
    except VideoError:
        return None
    if any(stored.about.get(name) != told for name, told in about.items()):
        return None
    return Saved(path, len(stored), stored.about["scenery"], about["frames"], ready=True)


def check_name(path: Path) -> None:
    """Whether trajectories can be written to a file of this name.

    Raises:
        ValueError: They can't; the text says why.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path}: trajectories are written as {' or '.join(SUFFIXES)}; name it {path.stem}.npz"
        )
    check_target(path)


class TrajectoryFile:
    """A file to which trajectories are added. Use it in a `with` block; the file appears at its end.

    Args:
        path: The file, `.safetensors` or `.npz`.
        settings: With which they are found.
        about: What is told of them, as JSON; read when the file is finished.
    """

    def __init__(self, path: Path, settings: Settings, about: dict[str, Any]) -> None:
        check_name(path)
        self.path, self.about, self.count = path, about, 0
        empty = nothing(settings)
        self._like = {name: _stored(name, getattr(empty, name)) for name in _NAMES}
        self._stack = ExitStack()
        # How many there are is known at the end only, and both formats want it first: each array waits in a file that
        # has no name, so that nothing is left of it whatever happens.
        self._parts: Parts = {
            name: self._stack.enter_context(TemporaryFile(dir=path.parent))  # noqa: SIM115 - the stack closes it
            for name in _NAMES
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                write = _write_npz if self.path.suffix.lower() == ".npz" else _write_safetensors
                shapes = {name: (self.count, *array.shape[1:]) for name, array in self._like.items()}
                with appearing(self.path) as temporary:
                    for part in self._parts.values():
                        part.seek(0)
                    write(temporary, self._parts, shapes, self._like, self.about | {"format": FORMAT})

    def add(self, batch: Trajectories) -> None:
        """More of them."""
        self.count += len(batch)
        for name, part in self._parts.items():
            part.write(np.ascontiguousarray(_stored(name, getattr(batch, name))).data)


def _stored(name: str, array: Any) -> Any:
    return array.astype(np.float16) if name in DESCRIPTORS else array


def _write_npz(path: Path, parts: Parts, shapes: Shapes, like: dict[str, Any], about: dict[str, Any]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("about.npy", "w") as member:
            np.lib.format.write_array(member, np.array(json.dumps(about)), allow_pickle=False)
        for name, part in parts.items():
            head = {
                "descr": np.lib.format.dtype_to_descr(like[name].dtype),
                "fortran_order": False,
                "shape": shapes[name],
            }
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, head)
                shutil.copyfileobj(part, member)


def _write_safetensors(
    path: Path, parts: Parts, shapes: Shapes, like: dict[str, Any], about: dict[str, Any]
) -> None:
    """The format: https://github.com/huggingface/safetensors#format."""
    head: dict[str, Any] = {"__metadata__": {"format": FORMAT, "about": json.dumps(about)}}
    end = 0
    # Wide numbers first, so that each array starts at a multiple of its numbers' size.
    order = sorted(parts, key=lambda name: -like[name].dtype.itemsize)
    for name in order:
        start, end = end, end + int(np.prod(shapes[name])) * like[name].dtype.itemsize
        head[name] = {
            "dtype": _SAFETENSORS_TYPES[like[name].dtype.name],
            "shape": shapes[name],
            "data_offsets": [start, end],
        }
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            shutil.copyfileobj(parts[name], file)


class StoredTrajectories:
    """The trajectories in a file. Going through it gives them in batches, each time anew.

    A `.safetensors` file is read a batch at a time; a `.npz` file an array at a time.

    Args:
        path: What `save_trajectories` wrote.

    Attributes:
        about: Of which video they are, and how they were found.
        settings: The same as `Settings`.

    Raises:
        VideoError: The file isn't there, or is another.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.about: dict[str, Any] = self._read_about()
            if self.about.get("format") != FORMAT:
                raise ValueError
            self.settings = Settings(**self.about["settings"])
        except FileNotFoundError:
            raise VideoError(f"{path}: no such file; check the path") from None
        except Exception:
            raise VideoError(f"{path}: no file of trajectories; make one with: muybridge extract") from None

    def __len__(self) -> int:
        return int(self._length)

    def __iter__(self) -> Iterator[Trajectories]:
        if self.path.suffix.lower() == ".npz":
            with np.load(self.path, allow_pickle=False) as arrays:
                whole = Trajectories(*(_opened(arrays[name]) for name in _NAMES))
            for start in range(0, len(whole), _ROWS):
                yield whole[start : start + _ROWS]
            return
        from safetensors import safe_open

        with safe_open(str(self.path), "numpy") as file:
            slices = [file.get_slice(name) for name in _NAMES]
            for start in range(0, len(self), _ROWS):
                end = min(start + _ROWS, len(self))
                yield Trajectories(*(_opened(each[start:end]) for each in slices))

    def _read_about(self) -> dict[str, Any]:
        told: dict[str, Any]
        if self.path.suffix.lower() == ".npz":
            with np.load(self.path, allow_pickle=False) as arrays:
                told = json.loads(str(arrays["about"]))
                self._length = len(arrays["scale"])
            return told
        from safetensors import safe_open

        with safe_open(str(self.path), "numpy") as file:
            told = json.loads((file.metadata() or {})["about"])
            self._length = file.get_slice("scale").get_shape()[0]
        return told


def _opened(array: Any) -> Any:
    return array.astype(np.float32) if array.dtype == np.float16 else array
