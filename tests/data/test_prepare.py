"""Copies are read with PyAV alone where frames and times count, so that our reader's mistakes can't hide ours."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from muybridge.data import copying
from muybridge.data.layouts import read_samples
from muybridge.data.prepare import prepare_data
from muybridge.video.reader import Video
from muybridge.video.reencode import Encoding, reencode

Film = Callable[..., Path]
UNEVEN_MS = [0, 31, 40, 77, 150, 151, 290, 333, 400, 457, 460, 555, 600, 713, 720, 800, 913]


def level(number: int) -> int:
    """The grey that carries a frame's number."""
    return 20 + 11 * number


def graded(
    path: Path,
    times_ms: list[int],
    *,
    size: tuple[int, int] = (96, 64),
    turn: int = 0,
    aspect: Fraction = Fraction(1),
) -> Path:
    """A film whose frames are grey, each lighter than the one before, with a white upper left corner."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"crf": "10"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.gop_size, video.max_b_frames = 250, 2
        video.time_base = video.codec_context.time_base = Fraction(1, 1000)
        video.codec_context.sample_aspect_ratio = aspect
        if turn:
            video.set_display_rotation(-90 * turn)
        for number, time_ms in enumerate(times_ms):
            pixels = np.full((size[1], size[0], 3), level(number), np.uint8)
            pixels[:16, :16] = 255
            frame = av.VideoFrame.from_ndarray(pixels)
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


def shown(path: Path) -> tuple[list[float], list[int], list[bool], tuple[int, int], str]:
    """When each frame is shown, its number, whether it is a key frame; the size and the container."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
        numbers = [
            round((float(frame.to_ndarray(format="gray")[-8:, -8:].mean()) - 20) / 11) for frame in frames
        ]
        times = [float((frame.pts - frames[0].pts) * frame.time_base) for frame in frames]
        keys = [frame.key_frame for frame in frames]
        return times, numbers, keys, (frames[0].width, frames[0].height), container.format.name


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("gop", [1, 6])
def test_every_frame_is_there_at_its_moment(tmp_path: Path, name: str, gop: int) -> None:
    even = name == "a.avi"  # AVI knows no moments, only a rate
    times_ms = [40 * number for number in range(17)] if even else UNEVEN_MS
    source = graded(tmp_path / name, times_ms)
    reencode(source, tmp_path / "out.mp4", Encoding(short_side=32, gop=gop))
    times, numbers, keys, size, _ = shown(tmp_path / "out.mp4")
    assert times == pytest.approx([ms / 1000 for ms in times_ms], abs=1e-9)
    assert numbers == list(range(17))
    assert size == (48, 32)
    since = np.diff(np.flatnonzero([*keys, True]))
    assert keys[0]
    assert since.max() <= gop


@pytest.mark.parametrize("gop", [1, 12])
def test_the_film_lasts_as_long_as_it_did(tmp_path: Path, gop: int) -> None:
    even, uneven = [40 * number for number in range(20)], UNEVEN_MS
    for times_ms in (even, uneven):
        source = graded(
            tmp_path / "a.mkv", times_ms
        )  # the last frame stays for 40 ms: 1 / the stream's 25 fps
        reencode(source, tmp_path / "out.mp4", Encoding(gop=gop))
        with av.open(str(tmp_path / "out.mp4")) as copy:
            assert copy.duration / 1e6 == pytest.approx((times_ms[-1] + 40) / 1000, abs=1e-3)


def test_a_small_film_keeps_its_size_and_a_turned_one_stands_upright(tmp_path: Path) -> None:
    small = graded(tmp_path / "small.mp4", [0, 40, 80])
    reencode(small, tmp_path / "out.mp4", Encoding(short_side=256))
    assert shown(tmp_path / "out.mp4")[3] == (96, 64)
    turned = graded(tmp_path / "turned.mp4", [0, 40, 80], turn=1)
    reencode(turned, tmp_path / "out.mp4", Encoding(short_side=256))
    assert shown(tmp_path / "out.mp4")[3] == (64, 96)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frame = next(container.decode(video=0))
    assert not frame.rotation
    grey = frame.to_ndarray(format="gray")
    # A quarter turn clockwise brings the upper left corner to the upper right.
    assert (grey[:12, -12:].mean() > 220, grey[:12, :12].mean() < 60) == (True, True)


@pytest.mark.parametrize(("turn", "shown"), [(0, (128, 64)), (1, (64, 128))])
def test_pixels_that_are_not_square_stay_so(tmp_path: Path, turn: int, shown: tuple[int, int]) -> None:
    source = graded(tmp_path / "a.mp4", [0, 40, 80], turn=turn, aspect=Fraction(4, 3))
    reencode(source, tmp_path / "out.mp4", Encoding())
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.width * stream.height == 96 * 64
        assert stream.sample_aspect_ratio == (Fraction(3, 4) if turn else Fraction(4, 3))
    with Video(source) as before, Video(tmp_path / "out.mp4") as after:
        assert (before.meta.width, before.meta.height) == shown
        assert after.meta.width * shown[1] == after.meta.height * shown[0]


def test_fewer_frames_per_second_are_those_on_screen(tmp_path: Path) -> None:
    source = graded(tmp_path / "a.mp4", [40 * number for number in range(20)])  # 25 a second
    reencode(source, tmp_path / "out.mp4", Encoding(fps=Fraction(10)))
    times, numbers, *_ = shown(tmp_path / "out.mp4")
    assert times == pytest.approx([k / 10 for k in range(8)])
    assert numbers == [0, 2, 5, 7, 10, 12, 15, 17]  # 100 ms later the 2.5th has begun
    reencode(source, tmp_path / "out.mp4", Encoding(fps=Fraction(60)))
    assert shown(tmp_path / "out.mp4")[1] == list(range(20))


def dataset(root: Path, film: Film) -> Path:
    """Three films under two classes, lists that name them, and what else lies about."""
    film(root / "walk" / "a.mp4", 0, height=72, width=96)
    film(root / "walk" / "b b.mp4", 1)
    film(root / "fall" / "x.mp4", 2).rename(root / "fall" / "c.avi")
    (root / "list.csv").write_text('path,label\nwalk/a.mp4,walk\n"walk/b b.mp4",walk\nfall/c.avi,fall\n')
    (root / "absolute.txt").write_text(f"{root.resolve()}/walk/a.mp4 walk\n/old{root.resolve()}/a.mp4 walk\n")
    (root / "features.npy").write_bytes(b"\x93NUMPY\0")
    (root / "all.zip").write_bytes(b"PK")
    (root / "walk" / ".hidden").write_text("-")
    return root


def test_the_copy_has_the_same_names_and_its_lists_are_true(tmp_path: Path, film: Film) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    steps: list[tuple[int, int]] = []
    report = prepare_data(
        data, out, Encoding(short_side=36), workers=1, progress=lambda *step: steps.append(step)
    )
    assert report.ok
    assert (report.made, report.ready, report.copied, report.archives, report.disguised) == (3, 0, 3, 1, 1)
    assert steps[-1] == (3, 3)
    visible = {
        p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and ".prepare" not in p.parts
    }
    assert visible == {
        "walk/a.mp4", "walk/b b.mp4", "fall/c.avi", "list.csv", "absolute.txt", "features.npy"
    }  # fmt: skip
    assert (out / "list.csv").read_bytes() == (data / "list.csv").read_bytes()
    assert [s.path for s in read_samples(out / "list.csv").train] == [
        out / "walk/a.mp4", out / "walk/b b.mp4", out / "fall/c.avi"
    ]  # fmt: skip
    assert (out / "absolute.txt").read_text().splitlines() == [
        f"{out.resolve()}/walk/a.mp4 walk",
        f"/old{data.resolve()}/a.mp4 walk",
    ]
    *_, size, container = shown(out / "fall" / "c.avi")
    assert "mp4" in container
    assert size == (48, 36)
    assert shown(out / "walk" / "a.mp4")[3] == (48, 36)
    sizes = [sum(p.stat().st_size for p in (*f.glob("*/*.mp4"), *f.glob("*/*.avi"))) for f in (data, out)]
    assert [report.bytes_before, report.bytes_after] == sizes
    assert report.gain is not None
    assert (report.gain.clips, report.gain.files) == (24, 3)


def test_only_what_is_missing_or_has_changed_is_made_again(tmp_path: Path, film: Film) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    prepare_data(data, out, workers=1)
    before = {path: path.stat().st_mtime_ns for path in out.glob("[!.]*/*.*")}
    ledger = out / ".prepare" / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + '{"path": "walk/a.m')  # a crash in the middle of a line
    assert prepare_data(data, out, workers=1).ready == 3
    assert {path: path.stat().st_mtime_ns for path in out.glob("[!.]*/*.*")} == before
    (out / "fall" / "c.avi").unlink()
    film(data / "walk" / "a.mp4", 7, frames=5)
    (data / "walk" / "b b.mp4").unlink()
    report = prepare_data(data, out, workers=1)
    assert (report.made, report.ready, report.gone) == (2, 0, ["walk/b b.mp4"])
    assert len(shown(out / "walk" / "a.mp4")[0]) == 5
    assert all(json.loads(line) for line in ledger.read_text().splitlines())


def test_processes_make_the_same_bytes(tmp_path: Path, film: Film) -> None:
    data = dataset(tmp_path / "data", film)
    prepare_data(data, tmp_path / "one", workers=1)
    prepare_data(data, tmp_path / "two", workers=2)
    for name in ("walk/a.mp4", "walk/b b.mp4", "fall/c.avi"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_broken_films_are_named_and_left_out(tmp_path: Path, film: Film) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    whole = (data / "walk" / "a.mp4").read_bytes()
    (data / "walk" / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    (data / "walk" / "empty.mp4").touch()
    report = prepare_data(data, out, workers=1)
    assert not report.ok
    assert set(report.broken) == {"walk/cut.mp4", "walk/empty.mp4"}
    assert report.made == 3
    assert not [path for path in out.rglob("*") if path.stem in ("cut", "empty")]
    assert not (out / ".prepare" / "work").exists()
    assert "empty.mp4: the file is empty" in report.describe()


def test_stopped_at_any_moment_only_whole_films_are_there(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    real = copying.reencode

    def interrupted(source: Path, target: Path, encoding: Encoding, proceed: Callable[[], None]) -> int:
        frames = iter(range(100))

        def at_frame() -> None:
            if source.name == "a.mp4" and next(frames) == 6:
                raise KeyboardInterrupt

        return real(source, target, encoding, at_frame)

    monkeypatch.setattr(copying, "reencode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_data(data, out, workers=1)
    assert {p.name for p in out.rglob("*") if p.is_file()} == {"c.avi", "ledger.jsonl", "lock"}
    monkeypatch.setattr(copying, "reencode", real)
    report = prepare_data(data, out, workers=1)
    assert (report.made, report.ready) == (2, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, the device that is always full")
def test_a_full_disk_stops_everything_and_breaks_nothing(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"

    real = av.open

    def full(file: str, *args: Any, **options: Any) -> Any:
        return real("/dev/full" if ".part" in str(file) else file, *args, **options)

    monkeypatch.setattr(av, "open", full)
    with pytest.raises(ValueError, match=r"out: No space left on device; what is ready is kept"):
        prepare_data(data, out, workers=1)
    assert {p.name for p in out.rglob("*") if p.is_file()} == {"ledger.jsonl", "lock"}


def test_frames_in_folders_shrink_under_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "walk" / "clip1"
    folder.mkdir(parents=True)
    for number in range(1, 4):
        Image.new("RGB", (90, 60), (50 * number, 0, 0)).save(folder / f"img_{number:05}.png")
    (folder / "note.txt").write_text("-")
    out = tmp_path / "out"
    report = prepare_data(tmp_path / "data", out, Encoding(short_side=20), workers=1)
    assert (report.made, report.ok) == (1, True)
    copies = sorted((out / "walk" / "clip1").iterdir())
    assert [path.name for path in copies] == ["img_00001.png", "img_00002.png", "img_00003.png", "note.txt"]
    with Image.open(copies[1]) as image:
        assert (image.size, image.getpixel((3, 3))) == ((30, 20), (100, 0, 0))
    assert prepare_data(tmp_path / "data", out, Encoding(short_side=20), workers=1).ready == 1


def test_a_list_prepares_what_it_names(tmp_path: Path, film: Film) -> None:
    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    film(data / "walk" / "unnamed.mp4", 3)
    assert prepare_data(data / "list.csv", out, workers=1).made == 3
    assert read_samples(out / "list.csv").labels == ("fall", "walk")
    assert not (out / "walk" / "unnamed.mp4").exists()


def test_refusals_say_what_to_do_and_change_nothing(tmp_path: Path, film: Film) -> None:
    data = dataset(tmp_path / "data", film)
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").touch()
    (tmp_path / "void").mkdir()
    made = tmp_path / "made"
    prepare_data(data, made, workers=1)
    outside = tmp_path / "lists" / "far.txt"
    outside.parent.mkdir()
    outside.write_text("../data/walk/a.mp4 walk\n")
    cases: list[tuple[Path, Path, Encoding | None, str]] = [
        (data, data / "out", None, "out: lies inside .*data; give a folder outside"),
        (data, data, None, "lies inside"),
        (data, other, None, "other: is there already and was not made by"),
        (data, tmp_path / "no" / "out", None, "the folder .*no does not exist; make it first"),
        (data, made, Encoding(gop=1), r"made: was made with other settings \(gop 12\)"),
        (tmp_path / "void", tmp_path / "out", None, "void: no videos in it"),
        (tmp_path / "none", tmp_path / "out", None, "none: no such folder"),
        (data / "walk" / "a.mp4", tmp_path / "out", None, "one video is not a data set"),
        (outside, tmp_path / "out", None, "lies outside of the list's folder"),
    ]
    for source, out, encoding, message in cases:
        with pytest.raises(ValueError, match=message) as caught:
            prepare_data(source, out, encoding, workers=1)
        assert "\n" not in str(caught.value)
    assert [path.name for path in other.iterdir()] == ["precious"]
    assert not (tmp_path / "out").exists()
    for wrong in ({"gop": 0}, {"crf": 52}, {"short_side": 3}, {"fps": Fraction(0)}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Encoding(**wrong)  # type: ignore[arg-type]


def test_two_at_once_are_refused(tmp_path: Path, film: Film) -> None:
    import fcntl

    data, out = dataset(tmp_path / "data", film), tmp_path / "out"
    prepare_data(data, out, workers=1)
    with (out / ".prepare" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="another `muybridge data prepare` is at work"):
            prepare_data(data, out, workers=1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, film: Film) -> None:
    data = dataset(tmp_path / "data", film)
    (tmp_path / "ro").mkdir(mode=0o500)
    with pytest.raises(ValueError, match=os.strerror(errno.EACCES)):
        prepare_data(data, tmp_path / "ro" / "out", workers=1)
