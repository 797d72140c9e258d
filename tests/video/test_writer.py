"""Written files are read back with PyAV alone, so that our own reader's mistakes can't hide the writer's."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.video.frame import PictureType
from torch import Tensor

from muybridge.types import VideoError
from muybridge.video.writer import VideoWriter, write_video

COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40))


def plain(colour: tuple[int, int, int], height: int = 48, width: int = 64) -> Tensor:
    return torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand(3, height, width)


def grey(number: int, height: int = 48, width: int = 64) -> list[Tensor]:
    return [plain((i * 4 % 256,) * 3, height, width) for i in range(number)]


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def boxes(path: Path) -> list[bytes]:
    """The names of an MP4's top-level boxes, in order (ISO/IEC 14496-12)."""
    data, names, at = path.read_bytes(), [], 0
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at : at + 8])
        names.append(name)
        at += size if size != 1 else struct.unpack(">Q", data[at + 8 : at + 16])[0]
    return names


def film_with_tone(
    path: Path, codec: str, *, seconds: int = 3, rate: int = 48_000, late_s: float = 0.0
) -> Path:
    """A film whose sound begins `late_s` after the picture: one second of silence, then 440 Hz."""
    time = np.arange(seconds * rate) / rate
    wave = np.where(time < 1, 0, 0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4" if path.suffix == ".avi" else "libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream(codec, rate=rate)
        audio.layout = "stereo"
        for i in range(seconds * 25):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), i, np.uint8))
            picture.pts, picture.time_base = i, Fraction(1, 25)
            container.mux(video.encode(picture))
        for begin in range(0, len(wave) - 1023, 1024):
            both = np.ascontiguousarray(np.stack([wave[begin : begin + 1024]] * 2))
            sound = av.AudioFrame.from_ndarray(both, format="fltp", layout="stereo")
            sound.rate, sound.pts, sound.time_base = rate, begin + round(late_s * rate), Fraction(1, rate)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def tone_starts(path: Path) -> tuple[str, float, float]:
    """The sound's codec, when its tone starts after the first frame, and its end, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        first = float(container.streams.video[0].start_time * container.streams.video[0].time_base)
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=stream.rate)
        frames = [out for frame in container.decode(stream) for out in resampler.resample(frame)]
        sound = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        start = frames[0].time - first
        return (
            stream.codec_context.codec.canonical_name,
            start + float(np.argmax(np.abs(sound) > 0.1)) / stream.rate,
            start + len(sound) / stream.rate,
        )


def test_every_frame_comes_back_in_its_colour(tmp_path: Path) -> None:
    frames = [plain(colour) for colour in COLOURS for _ in range(3)]
    path = write_video(tmp_path / "a.mp4", frames, fps=25)
    pictures = decoded(path)
    assert len(pictures) == len(frames)
    for frame, picture in zip(frames, pictures, strict=True):
        seen = picture.to_ndarray(format="rgb24").astype(int)
        assert np.abs(seen - frame.permute(1, 2, 0).numpy()).max() <= 6


@pytest.mark.parametrize(("size", "matrix"), [((48, 64), 6), ((720, 64), 1)])
def test_the_colour_matrix_is_the_one_the_tag_names(
    tmp_path: Path, size: tuple[int, int], matrix: int
) -> None:
    path = write_video(tmp_path / "a.mp4", [plain((255, 0, 0), *size)] * 2, fps=25)
    picture = decoded(path)[0]
    assert picture.colorspace == matrix
    assert picture.color_range == 1
    # Red in studio range: BT.601 gives Y = 81, BT.709 gives Y = 63 (the recommendations' own coefficients).
    luma = np.frombuffer(picture.planes[0], np.uint8)[0]
    assert luma == pytest.approx({6: 81, 1: 63}[matrix], abs=1)


def test_a_tensor_of_frames_and_a_generator_are_films_too(tmp_path: Path) -> None:
    clip = torch.zeros(7, 3, 16, 16, dtype=torch.uint8)
    assert len(decoded(write_video(tmp_path / "a.mp4", clip, fps=25))) == 7
    assert len(decoded(write_video(tmp_path / "b.mp4", (frame for frame in clip), fps=25))) == 7


def test_it_plays_everywhere_and_starts_before_it_is_loaded(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", grey(60), fps=25)
    names = boxes(path)
    assert names.index(b"moov") < names.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_odd_sizes_repeat_the_edge(tmp_path: Path) -> None:
    frame = plain((40, 40, 40), 47, 63).clone()
    frame[:, :, -1] = 200
    frame[:, -1, :] = 200
    picture = decoded(write_video(tmp_path / "a.mp4", [frame] * 3, fps=25))[0]
    assert (picture.width, picture.height) == (64, 48)
    grey_values = picture.to_ndarray(format="gray")
    assert grey_values[-2:, :].min() > 150
    assert grey_values[:, -2:].min() > 150


@pytest.mark.parametrize("fps", [Fraction(30000, 1001), 29.97002997, 25, 12.5, Fraction(24000, 1001)])
def test_frame_times_are_exact(tmp_path: Path, fps: Fraction | float) -> None:
    pictures = decoded(write_video(tmp_path / "a.mp4", grey(40), fps=fps))
    step = 1 / Fraction(fps).limit_denominator(1001)
    assert [picture.pts * picture.time_base for picture in pictures] == [k * step for k in range(40)]


def test_given_times_are_kept(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.05, 0.3, 0.3, 1.0]  # the pair of equal ones is what damaged phone videos hold
    path = write_video(tmp_path / "a.mp4", grey(6), fps=30, times_s=times)
    assert [picture.time for picture in decoded(path)] == pytest.approx(times, abs=1e-4)
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(1.0 + 1 / 30, abs=2e-3)


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [
        ("a.mp4", "aac", "aac"),
        ("a.avi", "mp3", "mp3"),
        ("a.mkv", "libopus", "opus"),
        ("a.ts", "aac", "aac"),
        ("a.mkv", "pcm_s16le", "aac"),
        ("a.ts", "mp2", "aac"),
    ],
)
def test_sound_is_kept_in_step_and_cut(tmp_path: Path, name: str, codec: str, kept: str) -> None:
    source = film_with_tone(tmp_path / name, codec)
    before = tone_starts(source)
    path = write_video(tmp_path / "out.mp4", grey(50), fps=25, audio_from=source)
    after = tone_starts(path)
    assert after[0] == kept
    assert after[1] == pytest.approx(before[1], abs=0.003)
    assert after[2] == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("codec", ["aac", "pcm_s16le"])
def test_sound_that_starts_late_stays_late(tmp_path: Path, codec: str) -> None:
    source = film_with_tone(tmp_path / "a.mkv", codec, late_s=0.5)
    path = write_video(tmp_path / "out.mp4", grey(50), fps=25, audio_from=source)
    assert tone_starts(path)[1] == pytest.approx(1.5, abs=0.003)


def test_a_silent_source_gives_a_silent_film(tmp_path: Path) -> None:
    source = write_video(tmp_path / "silent.mp4", grey(5), fps=25)
    path = write_video(tmp_path / "out.mp4", grey(5), fps=25, audio_from=source)
    with av.open(str(path)) as container:
        assert not container.streams.audio


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")

    def frames() -> Iterator[Tensor]:
        yield plain((1, 2, 3))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(path, frames(), fps=25)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_is_taken_only_when_the_film_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, fps=25) as writer:
        writer.write(plain((1, 2, 3)))
        assert not path.exists()
    assert len(decoded(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


def refusals(folder: Path) -> dict[str, tuple[str, list[Tensor], Path | None, str]]:
    wide, tall = plain((1, 1, 1), 16, 32), plain((1, 1, 1), 32, 16)
    return {
        "no folder": ("missing/a.mp4", [wide], None, "there is no folder .*missing; make it first"),
        "a folder": (".mp4dir/../x.avi", [wide], None, "an MP4 is written; name it x.mp4"),
        "no frames": ("a.mp4", [], None, "no frame was written"),
        "size": ("a.mp4", [wide, tall], None, "frame 1 is 16x32, those before it 32x16"),
        "float": ("a.mp4", [wide.float()], None, r"frame 0 is torch.float32 \(3, 16, 32\); give uint8"),
        "grey": ("a.mp4", [wide[:1]], None, r"\(1, 16, 32\); give uint8 tensors \(3, h, w\)"),
        "sound": ("a.mp4", [wide], folder / "none.mp4", "none.mp4: its sound can't be read"),
    }


@pytest.mark.parametrize("case", list(refusals(Path())))
def test_refusals_are_one_line_and_leave_nothing(tmp_path: Path, case: str) -> None:
    (tmp_path / ".mp4dir").mkdir()
    name, frames, audio, message = refusals(tmp_path)[case]
    with pytest.raises(VideoError, match=message) as caught:
        write_video(tmp_path / name, frames, fps=25, audio_from=audio)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [".mp4dir"]


def test_times_that_go_back_and_impossible_rates_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="before the last one"):
        write_video(tmp_path / "a.mp4", grey(3), fps=25, times_s=[0, 0.5, 0.2])
    with pytest.raises(ValueError, match="fps is 0"):
        VideoWriter(tmp_path / "a.mp4", fps=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.shared
def test_real_clips_keep_their_sound(shared: Path, tmp_path: Path) -> None:
    clips = [*(shared / "clips" / "single").glob("*.mp4"), shared / "clips" / "single" / "test.avi"]
    for clip in clips:
        with av.open(str(clip)) as source:
            sound = bool(source.streams.audio)
            rate = source.streams.video[0].average_rate
            frames = [f for _, f in zip(range(40), source.decode(video=0), strict=False)]
        pictures = (torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1) for frame in frames)
        path = write_video(tmp_path / f"{clip.stem}.mp4", pictures, fps=rate, audio_from=clip)
        with av.open(str(path)) as container:
            assert bool(container.streams.audio) == sound, clip.name
            if sound:
                heard = sum(frame.samples for frame in container.decode(audio=0))
                length_s = heard / container.streams.audio[0].rate
                assert length_s == pytest.approx(len(frames) / rate, abs=0.1)
        assert len(decoded(path)) == len(frames)


def noise(count: int) -> Tensor:
    return torch.randint(
        0, 256, (count, 3, 48, 74), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_one_thread_writes_the_same_bytes_whatever_memory_held(tmp_path: Path) -> None:
    written = set()
    for number in range(4):
        left_behind = [torch.full((50_000 + 999 * k,), number + k) for k in range(40)]
        del left_behind[::2]
        path = tmp_path / f"{number}.mp4"
        with VideoWriter(path, fps=25, threads=1, gop=6, b_frames=3, fast_decode=True) as writer:
            for frame in noise(30):
                writer.write(frame)
        written.add(path.read_bytes())
    assert len(written) == 1


def test_a_given_clock_is_kept_to_the_tick(tmp_path: Path) -> None:
    ticks = [0, 3, 4, 9, 20, 21, 30, 44, 50, 61, 63, 70]
    path = tmp_path / "a.mp4"
    with VideoWriter(path, fps=10, tick_s=Fraction(1, 70), gop=5) as writer:
        for number, (frame, tick) in enumerate(zip(grey(12), ticks, strict=True)):
            writer.write(frame, tick / 70, 0.4 if number == 11 else None)
    pictures = decoded(path)
    assert [picture.pts * picture.time_base for picture in pictures] == [Fraction(t, 70) for t in ticks]
    with av.open(str(path)) as container:
        assert container.streams.video[0].time_base == Fraction(1, 70)
        assert container.duration / 1e6 == pytest.approx(1.4, abs=0.002)


def test_key_frames_and_b_frames_lie_where_they_were_ordered(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with VideoWriter(path, fps=25, gop=9, b_frames=3, fast_decode=True, threads=1) as writer:
        scene = torch.nn.functional.interpolate(noise(1).float(), scale_factor=4, mode="bilinear")[0].byte()
        for number in range(20):
            writer.write(scene.roll(number, dims=2))
    pictures = decoded(path)
    assert "".join(PictureType(picture.pict_type).name for picture in pictures) == "IBBBPBBBP" * 2 + "IP"
    assert [picture.time for picture in pictures] == pytest.approx([k / 25 for k in range(20)])
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(20 / 25, abs=0.001)


def test_impossible_clocks_and_gops_are_refused(tmp_path: Path) -> None:
    for wrong in ({"gop": 0}, {"b_frames": 17}, {"tick_s": Fraction(2, 3)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            VideoWriter(tmp_path / "a.mp4", fps=10, **wrong)
