"""Opening a video file, and saying in words why one can't be opened.

FFmpeg answers a broken file with `Invalid data found when processing input`. Here the cause is looked for in
the file itself, because a person with a folder of ten thousand clips needs to know whether to copy, convert
or delete.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import av.error

from muybridge.types import VideoError

# What FFmpeg opens and we refuse: stills, text art, and lists that point at other files or at the network.
_NOT_A_FILM = {
    "image2",
    "tty",
    "bin",
    "idf",
    "xbin",
    "adf",
    "concat",
    "concatf",
    "hls",
    "dash",
    "ffmetadata",
    "sdp",
}
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}


def refusal(name: str, cause: str, hint: str) -> VideoError:
    """A `VideoError` on one line: what was given, what is wrong with it, what to do."""
    return VideoError(" ".join(f"{name}: {cause}; {hint}".split()))


def check_path(path: Path) -> None:
    """Refuse what isn't a readable file with something in it.

    Raises:
        VideoError: No such file, not a regular file, or empty.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise refusal(str(path), "no such file", "check the path") from None
    except (OSError, ValueError) as error:
        raise refusal(str(path), f"cannot be read ({error})", "check the path and its permissions") from None
    if not path.is_file():
        raise refusal(str(path), "not a regular file", "give a video file or a folder of numbered frames")
    if status.st_size == 0:
        raise refusal(str(path), "the file is empty (0 bytes)", "copy or download it again")


def open_video(path: Path, *, max_pixels: int) -> tuple[Any, Any]:
    """Open a file and choose its video stream (PyAV's container and stream).

    The decoder gets one thread: loader processes bring the parallelism, and threads inside FFmpeg cost CPU
    time and memory for nothing but latency.

    Raises:
        VideoError: The file can't be opened, holds no video, or its frames are larger than `max_pixels`.
    """
    name = str(path)
    check_path(path)
    # Older torchvisions turn FFmpeg's own messages on when they are imported; ours say more. Who has asked for more
    # than errors keeps what was asked for.
    if (level := av.logging.get_level()) is not None and level <= av.logging.ERROR:
        av.logging.set_level(None)
    # FFmpeg decodes a few frames to learn their format; it needs no pixels for that.
    probing = {"skip_idct": "all", "skip_loop_filter": "all"}
    options = _decoder_limit(max_pixels) | {"protocol_whitelist": "file", **probing}
    try:
        # With "file:", a colon in a file's name is not taken for a protocol.
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except PermissionError:
        raise refusal(name, "may not be read (permission denied)", f"chmod +r {path}") from None
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise refusal(name, *_why_not_opened(path, error)) from None
    try:
        return container, _video_stream(container, path, max_pixels)
    except BaseException:
        container.close()
        raise


def _video_stream(container: Any, path: Path, max_pixels: int) -> Any:
    name = str(path)
    formats = set(container.format.name.split(","))
    if formats & _NOT_A_FILM or container.format.name.endswith("_pipe"):
        raise refusal(name, *_not_a_film(path, container.format.name))
    streams = [
        s for s in container.streams.video if not int(s.disposition) & av.stream.Disposition.attached_pic
    ]
    if not streams:
        if container.streams.audio:
            raise refusal(name, "holds audio only, no video", "give a file with a video stream")
        raise refusal(name, "holds no video stream", "give a video file")
    stream = streams[0]
    if stream.codec_context is None:
        raise refusal(
            name,
            "its video codec is not supported by the bundled FFmpeg",
            "convert it, for example: ffmpeg -i IN -c:v libx264 OUT.mp4",
        )
    width, height = stream.codec_context.width, stream.codec_context.height
    if width < 1 or height < 1:
        raise refusal(
            name,
            f"the size of its pictures cannot be read (damaged, or more than {max_pixels} pixels)",
            "copy or download it again, or pass a larger max_pixels",
        )
    check_pixels(name, width, height, max_pixels)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all  # the demuxer then never reads the audio's bytes
    stream.codec_context.thread_count = 1
    stream.codec_context.options = _decoder_limit(max_pixels)
    return stream


def _decoder_limit(max_pixels: int) -> dict[str, str]:
    """FFmpeg's own limit, which bounds what a hostile header can make it allocate.

    It counts coded pixels, whole blocks of them; `check_pixels` counts those of the picture.
    """
    return {"max_pixels": str(min(2 * max_pixels + (1 << 16), (1 << 31) - 1))}


def check_pixels(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse frames that are larger than the limit."""
    if width * height > max_pixels:
        raise refusal(
            name,
            f"too large: frames of {width}x{height} pixels, the limit is {max_pixels} pixels",
            f"if that is meant, pass max_pixels={width * height} (--max-pixels {width * height})",
        )


def cut_short(path: Path) -> bool:
    """Whether the file ends before it says it does (RIFF, Matroska and GIF; others don't tell)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
        file.seek(max(0, size - 16))
        tail = file.read()
    if head[:4] == b"GIF8":
        return b";" not in tail
    if head[:4] == b"RIFF":
        return size < int.from_bytes(head[4:8], "little") + 8
    at = head.find(b"\x18\x53\x80\x67")  # Matroska's Segment; its size follows as an EBML number
    if head[:4] == b"\x1a\x45\xdf\xa3" and at >= 0 and len(head) > at + 12:
        length = 9 - head[at + 4].bit_length()
        value = int.from_bytes(head[at + 4 : at + 4 + length], "big") & ((1 << (7 * length)) - 1)
        unknown = value == (1 << (7 * length)) - 1  # a live stream, whose size nobody wrote
        return not unknown and size < at + 4 + length + value
    return False


def _why_not_opened(path: Path, error: Exception) -> tuple[str, str]:
    again = "copy or download it again"
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        if not _has_moov(path):
            return (
                "an MP4/MOV without its index (no moov box): the recording or the copy was cut off",
                again + ", or repair it with a tool such as untrunc",
            )
        return "a damaged MP4/MOV (its header cannot be read)", again
    if head[:4] in (b"RIFF", b"\x1a\x45\xdf\xa3"):
        return "a damaged video file (its header cannot be read)", again
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*")):
        return _not_a_film(path, "image2")
    if not head.strip(b"\0"):
        return "not a video: it begins with zeros only", again
    if _is_text(head):
        return _not_a_film(path, "tty")
    reason = getattr(error, "strerror", None) or str(error)
    return (
        f"not a video that FFmpeg knows ({reason.lower()})",
        "give a video file (mp4, mkv, webm, avi, ts, gif)",
    )


def _not_a_film(path: Path, format_name: str) -> tuple[str, str]:
    with path.open("rb") as file:
        head = file.read(4096)
    if format_name in ("hls", "dash", "concat", "concatf", "sdp"):
        return f"a playlist ({format_name}), not a video", "give the video file it points at"
    if format_name.endswith("_pipe") or format_name == "image2" or path.suffix.lower() in _IMAGES:
        return (
            "a still image, not a video",
            "give a video file, or the folder if the images are numbered frames",
        )
    if _is_text(head):
        return "a text file, not a video", "give a video file (mp4, mkv, webm, avi, ts, gif)"
    return "not a video", "give a video file (mp4, mkv, webm, avi, ts, gif)"


def _is_text(head: bytes) -> bool:
    try:
        head[: max(1, len(head) - 4)].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in head


def _has_moov(path: Path) -> bool:
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= size:
            file.seek(at)
            head = file.read(16)
            length, kind = struct.unpack(">I4s", head[:8])
            if kind == b"moov":
                return True
            if length == 1 and len(head) == 16:
                length = struct.unpack(">Q", head[8:])[0]
            if length < 8:
                return False
            at += length
    return False
