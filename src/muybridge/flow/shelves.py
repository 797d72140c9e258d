"""Where parts of flow are put until the flow of a video is whole, and how they become one: images, or a grey film."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import ColorRange
from PIL import Image
from torch import Tensor

from muybridge.flow.planes import Facts, luma
from muybridge.flow.store import FACTS_FILE, open_flow


@dataclass
class ImageShelf:
    """Pairs of JPEGs, written straight into the folder that becomes the target."""

    work: Path
    facts: Facts

    def put(self, number: int, start: int, levels: Tensor) -> Tensor:
        """Write the fields from number `start` on; gives what a reader will see."""
        del number
        folder = self.work / "images"
        folder.mkdir(exist_ok=True)
        seen = torch.empty_like(levels)
        for i, pair in enumerate(levels):
            for axis, plane in enumerate(pair):
                path = folder / f"{'xy'[axis]}_{start + i + 1:05d}.jpg"
                Image.fromarray(plane.numpy()).save(path, quality=self.facts["quality"])
                with Image.open(path) as image:
                    seen[i, axis] = torch.from_numpy(np.array(image))
        return seen

    def finish(self, target: Path, parts: int, facts: Facts) -> None:
        """Let the folder appear."""
        del parts
        folder = self.work / "images"
        (folder / FACTS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        if target.is_dir():
            shutil.rmtree(target)
        folder.replace(target)


@dataclass
class FilmShelf:
    """A grey film in parts, which are joined without encoding them again: each begins with a key frame."""

    work: Path
    facts: Facts

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.facts["fps"])

    def put(self, number: int, start: int, levels: Tensor) -> Tensor:
        """Write one part; gives what a reader will see."""
        del start
        path = self.work / f"{number:05d}.mp4"
        fresh = path.with_suffix(".part.mp4")
        with av.open(str(fresh), "w", format="mp4", options=self._ticks) as container:
            stream = self._stream(container)
            for i, pair in enumerate(levels.numpy()):
                frame = av.VideoFrame.from_ndarray(pair.reshape(-1, pair.shape[2]), format="gray")
                frame.color_range = ColorRange.JPEG
                frame.pts, frame.time_base = i, 1 / self.rate
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        fresh.replace(path)
        return self._seen(path, levels.shape)

    def finish(self, target: Path, parts: int, facts: Facts) -> None:
        """Join the parts."""
        fresh = self.work / "whole.mp4"
        with av.open(
            str(fresh), "w", format="mp4", options=self._ticks | {"movflags": "+faststart"}
        ) as whole:
            whole.metadata["comment"] = json.dumps(facts)
            stream: Any = None
            count = 0
            for number in range(parts):
                with av.open(str(self.work / f"{number:05d}.mp4")) as part:
                    source = part.streams.video[0]
                    stream = stream or whole.add_stream_from_template(source)
                    if source.codec_context.extradata != stream.codec_context.extradata:
                        raise OSError(
                            f"{self.work}: its parts were written by different encoders; delete it and start again"
                        )
                    for packet in part.demux(source):
                        if packet.size:
                            packet.stream, packet.time_base = stream, 1 / self.rate
                            packet.pts = packet.dts = count
                            packet.duration = 1
                            whole.mux(packet)
                            count += 1
        with open_flow(fresh) as stored:  # every field is there, or the film is refused
            stored.levels([stored.num_fields - 1])
        fresh.replace(target)

    @property
    def _ticks(self) -> dict[str, str]:
        # Otherwise FFmpeg counts in finer ticks, and rounds.
        return {"video_track_timescale": str(self.rate.numerator)}

    def _stream(self, container: Any) -> Any:
        # A constant quantizer bounds the error of every field alike; a constant rate factor would be coarse where much
        # moves. Fields resemble their neighbours so little that as key frames they take no more bytes, and each is then
        # read without the others. Without CABAC a twentieth is added, and decoding takes half as long.
        options = {"qp": str(self.facts["quality"]), "preset": "veryfast", "tune": "fastdecode"}
        stream = container.add_stream("libx264", rate=self.rate, options=options)
        stream.width, stream.height = self.facts["width"], 2 * self.facts["height"]
        stream.pix_fmt, stream.gop_size = "gray", 1
        stream.time_base = stream.codec_context.time_base = 1 / self.rate
        codec = stream.codec_context
        codec.max_b_frames, codec.thread_count, codec.color_range = 0, 1, ColorRange.JPEG
        return stream

    def _seen(self, path: Path, shape: torch.Size) -> Tensor:
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            planes = [luma(frame, 2 * shape[2], shape[3]).copy() for frame in container.decode(video=0)]
        if len(planes) != shape[0]:
            raise OSError(f"{path}: {len(planes)} of {shape[0]} fields came out; the encoder failed")
        return torch.from_numpy(np.stack(planes)).view(shape)
