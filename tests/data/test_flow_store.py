"""Flow of many videos: everything is made once, whatever happens on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from muybridge.data import flow_job, flow_store
from muybridge.data.flow_store import write_store
from muybridge.data.layouts import find_videos, read_samples
from muybridge.flow import parts
from muybridge.flow.store import find_flow
from muybridge.flow.storing import Storing
from muybridge.video.reader import Video
from muybridge.video.writer import write_video

SMALL = Storing(short_side=32)


class Brightness:
    """A method that counts its pairs: x is the first frame's brightness / 10 - 10, y is 3."""

    def __init__(self, method: str) -> None:
        self.method = method
        self.pairs = 0

    def __call__(
        self, first: Tensor, second: Tensor, *, progress: Callable[[int, int], None] | None = None
    ) -> Tensor:
        self.pairs += len(first)
        if progress is not None:
            progress(len(first), len(first))
        x = first.float().mean(1) / 10 - 10
        return torch.stack([x, torch.full_like(x, 3.0)], dim=1)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Brightness]:
    """What `open_method` gave."""
    opened: list[Brightness] = []

    def open_method(method: str, **options: Any) -> Brightness:
        opened.append(Brightness(method))
        return opened[-1]

    monkeypatch.setattr(flow_store, "open_method", open_method)
    monkeypatch.setattr(flow_job, "open_method", open_method)
    monkeypatch.setattr(flow_job, "_open", {})
    return opened


def pairs(made: list[Brightness]) -> int:
    """Pairs computed since the last call."""
    count = sum(maker.pairs for maker in made)
    for maker in made:
        maker.pairs = 0
    return count


def film(path: Path, count: int = 6, shade: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = (torch.arange(count) + shade).byte()[:, None, None, None].expand(count, 3, 48, 64)
    return write_video(path, frames, fps=25)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips"
    film(folder / "walk" / "a.mp4", 6)
    film(folder / "fall" / "a.mp4", 9)
    film(folder / "fall" / "b.mp4", 4, shade=30)
    return folder


@pytest.mark.parametrize("format", ["video", "jpeg"])
def test_flow_lies_in_the_folders_of_its_videos(
    clips: Path, tmp_path: Path, made: list[Brightness], format: Any
) -> None:
    report = write_store(clips, tmp_path / "out", Storing(format=format, short_side=32), workers=1)
    assert (report.made, report.ready, report.ok, report.measured.fields) == (3, 0, True, 5 + 8 + 3)
    for name, frames in (("walk/a", 6), ("fall/a", 9), ("fall/b", 4)):
        flow = find_flow(clips / f"{name}.mp4", tmp_path / "out")
        assert flow is not None
        assert flow.path == tmp_path / "out" / (f"{name}.flow.mp4" if format == "video" else name)
        assert (flow.num_frames, flow.height, flow.width, flow.fps) == (frames, 32, 43, 25)
        assert (flow.method, flow.source) == ("tvl1", f"{name}.mp4")
        assert flow.fields([0])[0, 1].mean() == pytest.approx(3.0, abs=0.1)
    size = sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert report.measured.bytes == size - (tmp_path / "out" / ".flow" / "lock").stat().st_size
    assert f"{report.measured.bytes / 16:.0f} bytes per field" in report.describe()


def test_nothing_is_made_twice(clips: Path, tmp_path: Path, made: list[Brightness]) -> None:
    first = write_store(clips, tmp_path / "out", SMALL, workers=1)
    assert pairs(made) == 16
    again = write_store(clips, tmp_path / "out", SMALL, workers=1)
    assert (again.made, again.ready, pairs(made)) == (0, 3, 0)
    assert again.measured == first.measured
    film(clips / "fall" / "c.mp4", 5)
    film(clips / "walk" / "a.mp4", 7)  # changed
    (tmp_path / "out" / "fall" / "b.flow.mp4").write_bytes(b"")  # what a power cut may leave
    third = write_store(clips, tmp_path / "out", SMALL, workers=1)
    assert (third.made, third.ready, pairs(made)) == (3, 1, 4 + 6 + 3)


def test_steps_are_videos_and_of_a_single_one_fields(
    clips: Path, tmp_path: Path, made: list[Brightness]
) -> None:
    steps: list[tuple[int, int]] = []
    write_store(clips, tmp_path / "out", SMALL, workers=1, progress=lambda *step: steps.append(step))
    assert steps == [(done, 3) for done in range(4)]
    steps.clear()
    write_store(clips / "fall" / "a.mp4", tmp_path / "one", SMALL, progress=lambda *step: steps.append(step))
    assert steps[0] == (0, 8)
    assert steps[-1] == (8, 8)


def test_broken_videos_are_named_and_the_others_done(
    clips: Path, tmp_path: Path, made: list[Brightness]
) -> None:
    (clips / "walk" / "b.mp4").write_bytes(b"\0" * 100)
    film(clips / "walk" / "still.mp4", 1)
    report = write_store(clips, tmp_path / "out", SMALL, workers=1)
    assert (report.made, report.ok) == (3, False)
    reasons = {path.name: reason for path, reason in report.broken.items()}
    assert "not a video: it begins with zeros only" in reasons["b.mp4"]
    assert "still.mp4: has a single frame" in reasons["still.mp4"]
    assert "no flow of 2:" in report.describe()
    assert not list((tmp_path / "out").rglob("still*"))
    alone = write_store(clips / "walk" / "still.mp4", tmp_path / "alone", SMALL)
    assert (alone.made, alone.ok, (tmp_path / "alone").exists()) == (0, False, False)
    missing = write_store(clips / "no.mp4", tmp_path / "alone", SMALL)
    assert "no.mp4: no such file" in missing.describe()


def test_what_does_not_fit_together_is_refused(clips: Path, tmp_path: Path, made: list[Brightness]) -> None:
    out = tmp_path / "out"
    write_store(clips, out, SMALL, workers=1)
    before = {file: file.read_bytes() for file in out.rglob("*.mp4")}
    cases: dict[str, Callable[[], Any]] = {
        r"a.flow.mp4: was made in another way \(bound_px 20.0\)": lambda: write_store(
            clips, out, Storing(short_side=32, bound=10)
        ),
        r"was made in another way \(short_side 32\)": lambda: write_store(clips, out, Storing(short_side=64)),
        r"was made in another way \(method tvl1\)": lambda: write_store(clips, out, SMALL, method="dis"),
        r"was made in another way \(options {}\)": lambda: write_store(clips, out, SMALL, options={"tau": 1}),
        r"is the flow of this video in another format": lambda: write_store(
            clips, out, Storing(format="jpeg", short_side=32)
        ),
        r"walk/a.mp4 and .*fall/a.mp4 would both be stored as a.mp4; give the folder": lambda: write_store(
            [clips / "walk" / "a.mp4", clips / "fall" / "a.mp4"], tmp_path / "new", SMALL
        ),
        r"no videos in it": lambda: write_store(out / "walk", tmp_path / "new", SMALL),
        r"workers is 0; give 1 or more": lambda: write_store(clips, out, SMALL, workers=0),
        r"the folder .* does not exist; make it first": lambda: write_store(
            clips, tmp_path / "x" / "y", SMALL
        ),
    }
    for message, act in cases.items():
        with pytest.raises(ValueError, match=message):
            act()
    assert {file: file.read_bytes() for file in out.rglob("*.mp4")} == before
    assert not (tmp_path / "new").exists()


def test_one_name_is_one_video(clips: Path, tmp_path: Path, made: list[Brightness]) -> None:
    out = tmp_path / "out"
    write_store(clips / "walk" / "a.mp4", out, SMALL)
    with pytest.raises(ValueError, match=r"a.flow.mp4: is the flow of another video of that name"):
        write_store(clips / "fall" / "a.mp4", out, SMALL)
    (clips / "walk" / "a.mp4").rename(tmp_path / "a.mp4")  # the same one, moved
    assert write_store(tmp_path / "a.mp4", out, SMALL).ready == 1
    film(clips / "fall" / "b.m4v", 3)
    report = write_store(clips, tmp_path / "both", SMALL, workers=1)
    names = {path.relative_to(tmp_path / "both").as_posix() for path in report.targets.values()}
    assert names == {"fall/a.flow.mp4", "fall/b.mp4.flow.mp4", "fall/b.m4v.flow.mp4"}
    flow = find_flow(clips / "fall" / "b.m4v", tmp_path / "both")
    assert flow is not None
    assert flow.num_frames == 3


def test_somebody_elses_flow_is_not_written_over(clips: Path, tmp_path: Path, made: list[Brightness]) -> None:
    theirs = tmp_path / "out" / "walk" / "a"
    theirs.mkdir(parents=True)
    (theirs / "x_00001.jpg").write_bytes(b"theirs")
    with pytest.raises(ValueError, match="walk/a: holds flow that somebody else made; give another --store"):
        write_store(clips, tmp_path / "out", Storing(format="jpeg", short_side=32), workers=1)
    assert (theirs / "x_00001.jpg").read_bytes() == b"theirs"


def test_flow_may_be_stored_beside_its_videos(clips: Path, made: list[Brightness]) -> None:
    assert write_store(clips, clips, SMALL, workers=1).made == 3
    assert write_store(clips, clips, SMALL, workers=1).ready == 3
    assert sorted(file.name for file in (clips / "fall").iterdir()) == [
        "a.flow.mp4", "a.mp4", "b.flow.mp4", "b.mp4",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["video", "jpeg"])
def test_stored_flow_is_no_video_of_the_data_set(clips: Path, made: list[Brightness], form: Any) -> None:
    videos = find_videos(clips)
    write_store(clips, clips, Storing(short_side=32, format=form), workers=1)
    assert find_videos(clips) == videos
    found = read_samples(clips)
    assert {sample.path for split in found.splits.values() for sample in split} == set(videos)
    # Frames of a film are one, also with flow of theirs beside them (MMAction2's layout).
    folder = clips / "walk" / "frames"
    folder.mkdir()
    for number in (1, 2):
        for name in ("img", "x", "y", "flow_x", "flow_y"):
            Image.new("L", (32, 32), 40 * number).save(folder / f"{name}_{number:05d}.jpg")
    assert set(find_videos(clips)) == {*videos, folder}
    with Video(folder) as film:
        assert len(film) == 2


def test_a_full_disk_ends_it(
    clips: Path, tmp_path: Path, made: list[Brightness], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **rest: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(flow_job, "store_flow", full)
        with pytest.raises(ValueError, match="No space left on device; what is ready is kept"):
            write_store(clips, tmp_path / "out", SMALL, workers=1)
    assert write_store(clips, tmp_path / "out", SMALL, workers=1).made == 3


KILLED = """
import sys, time
from muybridge.data import flow_job, flow_store
from muybridge.flow import parts
from muybridge.flow.storing import Storing
parts._PART_PIXELS = 1
def step(done, total):
    print(done, total, flush=True)
    time.sleep(0.02)
flow_store.write_store(sys.argv[1], sys.argv[2], Storing(short_side=32), method="farneback", progress=step)
"""


@pytest.mark.slow
def test_a_killed_process_is_gone_on_with(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra flow")
    film(tmp_path / "long.mp4", 120)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "long.mp4")]

    def start(out: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*command, str(tmp_path / out)], stdout=subprocess.PIPE, text=True)

    with start("killed") as process:
        assert process.stdout is not None
        while int(process.stdout.readline().split()[0]) < 40:
            pass
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not list((tmp_path / "killed").glob("*.mp4"))
    with start("killed") as process:
        assert process.stdout is not None
        assert int(process.stdout.readline().split()[0]) >= 24  # all but the part that was at work
        process.communicate()
    with start("whole") as process:
        process.communicate()
    flows = [(tmp_path / out / "long.flow.mp4").read_bytes() for out in ("killed", "whole")]
    assert flows[0] == flows[1]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["video", "jpeg"])
def test_a_single_video_is_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any) -> None:
    pytest.importorskip("cv2", reason="needs the extra flow")
    monkeypatch.setattr(parts, "_PART_PIXELS", 1)  # parts of 12 fields
    long, how = film(tmp_path / "long.mp4", 100), Storing(short_side=32, format=form)
    counts: dict[int, list[int]] = {1: [], 2: []}
    for workers, counted in counts.items():
        report = write_store(
            long, tmp_path / str(workers), how, method="farneback", workers=workers,
            progress=lambda done, total, counted=counted: counted.append(done),
        )  # fmt: skip
        assert (report.made, report.measured.fields) == (1, 99)
        assert counted == sorted(counted)
        assert (counted[0], counted[-1]) == (0, 99)
    one, two = (tmp_path / "1", tmp_path / "2")
    files = [file for file in one.rglob("*") if file.is_file() and ".flow" not in file.parent.name]
    assert files
    for file in files:
        assert file.read_bytes() == (two / file.relative_to(one)).read_bytes()
    assert not list(two.rglob("parts.jsonl"))


def test_several_processes_make_the_same_as_one(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra flow")
    (clips / "walk" / "broken.mp4").write_bytes(b"\0" * 100)
    for workers in (1, 2):
        report = write_store(clips, tmp_path / str(workers), SMALL, method="farneback", workers=workers)
        assert (report.made, len(report.broken)) == (3, 1)
    for file in (tmp_path / "1").rglob("*.mp4"):
        assert file.read_bytes() == (tmp_path / "2" / file.relative_to(tmp_path / "1")).read_bytes()
