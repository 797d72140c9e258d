"""A file that can't be read is refused on one line: which file, what is wrong with it, what to do."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from muybridge.types import VideoError
from muybridge.video import Video

COUNT = 40
X264 = {"preset": "fast", "crf": "20"}


@pytest.fixture(scope="module")
def written(films: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """`written(name)`: the bytes of a sound film of 40 frames in that kind of file."""
    folder = tmp_path_factory.mktemp("sound")
    how: dict[str, dict[str, Any]] = {
        "index_first.mp4": {"options": X264, "b_frames": 2, "mux": {"movflags": "faststart"}},
        "index_last.mp4": {"options": X264},
        "fragments.mp4": {"options": X264, "mux": {"movflags": "frag_keyframe+empty_moov"}},
        "film.mkv": {"options": X264},
        "film.avi": {"options": X264},
        "film.ts": {"options": X264},
        "film.gif": {"codec": "gif", "pixel_format": "rgb8", "fps": 10},
    }

    def get(name: str) -> bytes:
        if not (folder / name).exists():
            films.write_film(folder / name, COUNT, **how[name])
        content: bytes = (folder / name).read_bytes()
        return content

    return get


def refusal_of(path: Path, **options: Any) -> str:
    """The text with which a file is refused; it is one line and names the file."""
    with pytest.raises(VideoError) as caught:
        read_all(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    assert "; " in text, "cause; hint"
    return text


def read_all(path: Path, **options: Any) -> torch.Tensor:
    video = Video(path, **options)
    return video.frames(range(len(video)))


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file" in refusal_of(tmp_path / "missing.mp4")


def test_folder_without_frames(tmp_path: Path) -> None:
    put(tmp_path / "readme.txt", b"nothing here")
    put(tmp_path / "cover.jpg", b"no number")
    assert "a folder without numbered images" in refusal_of(tmp_path)


def test_folder_with_several_series(films: Any, tmp_path: Path) -> None:
    for prefix in ("left", "right"):
        av.VideoFrame.from_ndarray(films.numbered_picture(1), format="rgb24").to_image().save(
            tmp_path / f"{prefix}1.png"
        )
    text = refusal_of(tmp_path)
    assert "left*.png, right*.png" in text


def test_folder_with_a_broken_or_another_image(films: Any, tmp_path: Path) -> None:
    for number, size in ((1, (64, 48)), (2, (32, 32))):
        picture = av.VideoFrame.from_ndarray(films.numbered_picture(1, size), format="rgb24").to_image()
        picture.save(tmp_path / f"img_{number}.png")
    put(tmp_path / "img_3.png", b"not a png")
    video = Video(tmp_path)
    with pytest.raises(VideoError, match=r"img_2\.png: is 32x32, the frames before are 64x48"):
        video.frames([0, 1])
    with pytest.raises(VideoError, match=r"img_3\.png: cannot be decoded as an image"):
        video.frames([2])


def test_empty_file(tmp_path: Path) -> None:
    assert "empty (0 bytes)" in refusal_of(put(tmp_path / "empty.mp4", b""))


@pytest.mark.parametrize("name", ["words.mp4", "words.txt", "list.csv"])
def test_text(name: str, tmp_path: Path) -> None:
    assert "a text file, not a video" in refusal_of(put(tmp_path / name, b"path,label\nclip.mp4,run\n" * 20))


def test_playlists_are_not_followed(written: Callable[[str], bytes], tmp_path: Path) -> None:
    put(tmp_path / "film.ts", written("film.ts"))
    hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9,\nfilm.ts\n#EXT-X-ENDLIST\n"
    refusal_of(put(tmp_path / "list.m3u8", hls))
    refusal_of(put(tmp_path / "list.ffconcat", b"ffconcat version 1.0\nfile film.ts\n"))


@pytest.mark.parametrize("name", ["picture.png", "picture.jpg", "picture.mp4"])
def test_still_image(name: str, films: Any, tmp_path: Path) -> None:
    picture = av.VideoFrame.from_ndarray(films.numbered_picture(1), format="rgb24").to_image()
    picture.save(tmp_path / name, format="JPEG" if name.endswith("jpg") else "PNG")
    assert "a still image, not a video" in refusal_of(tmp_path / name)


def test_noise_and_zeros(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8).tobytes()
    assert "not a video" in refusal_of(put(tmp_path / "noise.mp4", noise))
    assert "zeros only" in refusal_of(put(tmp_path / "zeros.mp4", bytes(50_000)))


def test_audio_only(films: Any, tmp_path: Path) -> None:
    path = films.write_sound(tmp_path / "song.m4a")
    assert "audio only" in refusal_of(path)


def test_not_a_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "not a regular file" in refusal_of(tmp_path / "pipe.mp4")
    assert "not a regular file" in refusal_of(Path(os.devnull))


def test_mp4_without_its_index(written: Callable[[str], bytes], tmp_path: Path) -> None:
    content = written("index_last.mp4")
    text = refusal_of(put(tmp_path / "cut.mp4", content[: len(content) // 2]))
    assert "without its index (no moov box)" in text


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_cut_mp4_says_how_much_is_left(
    share: float, written: Callable[[str], bytes], films: Any, tmp_path: Path
) -> None:
    content = written("index_first.mp4")
    path = put(tmp_path / "cut.mp4", content[: int(len(content) * share)])
    partial = Video(path, on_error="partial")
    left = len(partial)
    assert 0 < left < COUNT
    text = refusal_of(path)
    assert f"cut short: {left} of {COUNT} frames can be read" in text
    assert 'on_error="partial"' in text
    numbers = films.read_numbers(partial.frames(range(left)))
    assert numbers == sorted(set(numbers))
    assert numbers[: left - 3] == list(range(left - 3))  # only B-frames of the last group may be missing


@pytest.mark.parametrize("name", ["film.mkv", "film.avi", "film.gif", "fragments.mp4"])
def test_cut_files_of_other_kinds(
    name: str, written: Callable[[str], bytes], films: Any, tmp_path: Path
) -> None:
    content = written(name)
    path = put(tmp_path / name, content[: int(len(content) * 0.7)])
    assert "cut short" in refusal_of(path)
    partial = Video(path, on_error="partial")
    assert films.read_numbers(partial.frames(range(len(partial) - 2))) == list(range(len(partial) - 2))


def test_damaged_frames(written: Callable[[str], bytes], films: Any, tmp_path: Path) -> None:
    content = bytearray(written("index_first.mp4"))
    middle = len(content) // 2
    content[middle : middle + 600] = np.random.default_rng(1).integers(0, 256, 600, dtype=np.uint8).tobytes()
    path = put(tmp_path / "damaged.mp4", bytes(content))
    video = Video(path)
    assert films.read_numbers(video.frames([0, 1, 2])) == [0, 1, 2]  # the sound part is there
    assert "cannot be decoded (the file is damaged)" in refusal_of(path)
    frames = Video(path, on_error="partial").frames(range(COUNT))
    assert len(frames) == COUNT
    assert films.read_numbers(frames[-3:]) == [37, 38, 39]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("index_first.mp4", b"avc1", b"zzzz"),
        ("film.avi", b"H264", b"ZZZZ"),
        ("film.mkv", b"V_MPEG4/ISO/AVC", b"V_ZZZZZ/ISO/AVC"),
    ],
)
def test_unknown_codec(
    name: str, old: bytes, new: bytes, written: Callable[[str], bytes], tmp_path: Path
) -> None:
    text = refusal_of(put(tmp_path / name, written(name).replace(old, new)))
    assert "codec is not supported" in text
    assert "convert it" in text


def test_limits_and_how_to_raise_them(written: Callable[[str], bytes], tmp_path: Path) -> None:
    path = put(tmp_path / "film.mp4", written("index_first.mp4"))
    text = refusal_of(path, max_pixels=64 * 48 - 1)
    assert "too large: frames of 64x48 pixels" in text
    assert "max_pixels=3072" in text
    assert len(Video(path, max_pixels=3072)) == COUNT
    text = refusal_of(path, max_duration_s=1.0)
    assert "too long" in text
    assert "max_duration_s=" in text
    assert len(Video(path, max_duration_s=2.0)) == COUNT


def test_absurd_sizes_in_headers(written: Callable[[str], bytes], films: Any, tmp_path: Path) -> None:
    gif = bytearray(written("film.gif"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    assert "max_pixels" in refusal_of(put(tmp_path / "huge.gif", bytes(gif)))
    mp4 = bytearray(written("index_first.mp4"))
    at = mp4.rfind(b"avc1") + 28
    assert struct.unpack(">HH", mp4[at : at + 4]) == (64, 48)
    mp4[at : at + 4] = struct.pack(">HH", 65535, 65535)
    path = put(tmp_path / "lies.mp4", bytes(mp4))  # the pictures themselves know better
    assert Video(path, square_pixels=False).meta.width == 64
    wide = films.write_film(tmp_path / "wide.mp4", 2, aspect=15, options=X264)
    assert "too large: frames of 960x48" in refusal_of(wide, max_pixels=64 * 48)


def test_nothing_is_printed(
    written: Callable[[str], bytes], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = written("film.ts")
    capfd.readouterr()
    path = put(tmp_path / "cut.ts", content[300 : len(content) * 2 // 3])
    video = Video(path, on_error="partial")
    video.frames(range(len(video)))
    refusal_of(put(tmp_path / "cut.mp4", written("index_last.mp4")[:2000]))
    assert capfd.readouterr() == ("", "")


def test_file_names_are_not_taken_for_protocols(written: Callable[[str], bytes], tmp_path: Path) -> None:
    for name in ("concat:a.mp4", "take 1: wide, ünï.mp4", "%05d.mp4"):
        assert len(Video(put(tmp_path / name, written("index_first.mp4")))) == COUNT


def test_bad_arguments(written: Callable[[str], bytes], tmp_path: Path) -> None:
    path = put(tmp_path / "film.mp4", written("index_first.mp4"))
    with pytest.raises(ValueError, match="on_error is 'ignore'"):
        Video(path, on_error="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="has its own frame rate"):
        Video(path, fps=10)
    with pytest.raises(ValueError, match="fps is 0"):
        Video(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), fps=0)
    for wrong in (
        torch.zeros(2, 3, 4, 4),
        torch.zeros(2, 4, 4, 3, dtype=torch.uint8),
        torch.zeros(0, 3, 4, 4).byte(),
    ):
        with pytest.raises(ValueError, match=r"uint8 of shape \(t, 3, h, w\)"):
            Video(wrong)


def test_ffmpeg_does_not_talk_beside_the_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even after another package has turned its messages on, as torchvision 0.25 does on import."""
    path = tmp_path / "diary.mp4"
    path.write_bytes(b"not a video" * 50)
    av.logging.set_level(av.logging.ERROR)
    try:
        with pytest.raises(VideoError):
            Video(path)
    finally:
        av.logging.set_level(None)
    assert capfd.readouterr() == ("", "")
