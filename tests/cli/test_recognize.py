"""`muybridge recognize`: what a person and a program get, and what bad files do."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

import muybridge as mb

Run = Callable[..., Any]


@pytest.fixture
def walk(film: Path) -> Path:
    return film / "test" / "walk" / "walk_s0000.mp4"


def test_json_on_stdout_is_nothing_but_json(muybridge: Run, walk: Path, film: Path, checkpoint: Path) -> None:
    fall = film / "test" / "fall" / "fall_s0000.mp4"
    ran = muybridge("recognize", walk, fall, "--checkpoint", checkpoint, "--json", "-")
    assert ran.code == 0
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [t["video"] for t in told] == [str(walk), str(fall)]
    for answer in told:
        assert {row["label"] for row in answer["top"]} == {"walk", "fall"}
        assert sum(row["score"] for row in answer["top"]) == pytest.approx(1, abs=1e-5)
        assert answer["views"] == 2


def test_folders_and_globs_give_their_videos(muybridge: Run, film: Path, checkpoint: Path) -> None:
    ran = muybridge(
        "recognize", film / "test", film / "val" / "*" / "*.mp4", "--checkpoint", checkpoint, "--json", "-"
    )
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 4


def test_a_window_gives_a_timeline_over_the_whole_video(muybridge: Run, walk: Path, checkpoint: Path) -> None:
    ran = muybridge(
        "recognize", walk, "--checkpoint", checkpoint, "--window", "500ms", "--every", "0.5s", "--json", "-"
    )
    told = json.loads(ran.out)
    windows = told["windows"]
    assert windows[0]["start_s"] == 0
    assert windows[-1]["end_s"] == pytest.approx(told["duration_s"], abs=1e-3)
    for window in windows:
        assert window["end_s"] - window["start_s"] == pytest.approx(0.5, abs=0.05)
    for label in ("walk", "fall"):  # the answer for the whole is the mean of the windows
        scores = [next(r["score"] for r in w["top"] if r["label"] == label) for w in windows]
        whole = next(r["score"] for r in told["top"] if r["label"] == label)
        assert whole == pytest.approx(sum(scores) / len(scores), abs=1e-5)


def test_overlay_report_and_table_appear(
    muybridge: Run, walk: Path, checkpoint: Path, tmp_path: Path
) -> None:
    ran = muybridge(
        "recognize", walk, "--checkpoint", checkpoint, "--window", "1s", "--save", tmp_path / "out.mp4",
        "--report", tmp_path / "out.html", "--csv", tmp_path / "out.csv", "--json", tmp_path / "out.json",
    )  # fmt: skip
    assert ran.code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.html", "out.json", "out.mp4"]
    with mb.Video(walk) as source, mb.Video(tmp_path / "out.mp4") as drawn:
        assert len(drawn) == len(source)
        assert drawn.meta.codec == "h264"
        assert drawn.meta.duration_s == pytest.approx(source.meta.duration_s, abs=0.05)
    rows = list(csv.DictReader((tmp_path / "out.csv").read_text().splitlines()))
    assert {row["label"] for row in rows} == {"walk", "fall"}
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "walk_s0000.mp4" in page
    assert "data:video/mp4" in page


def test_python_and_the_command_agree(muybridge: Run, walk: Path, checkpoint: Path) -> None:
    told = json.loads(muybridge("recognize", walk, "--checkpoint", checkpoint, "--json", "-").out)
    result = mb.load(checkpoint, device="cpu").recognize(walk)
    assert [s.label for s in result.top(5)] == [row["label"] for row in told["top"]]
    assert result.top(1)[0].score == pytest.approx(told["top"][0]["score"], abs=1e-5)


def test_several_videos_go_into_a_folder_under_their_own_names(
    muybridge: Run, walk: Path, checkpoint: Path, tmp_path: Path
) -> None:
    twin = tmp_path / "other" / walk.name
    twin.parent.mkdir()
    shutil.copy(walk, twin)
    ran = muybridge("recognize", walk, twin, "--checkpoint", checkpoint, "--save", tmp_path / "drawn")
    assert ran.code == 0
    assert len(list((tmp_path / "drawn").glob("*.mp4"))) == 2
    one_file = muybridge("recognize", walk, twin, "--checkpoint", checkpoint, "--save", tmp_path / "x.mp4")
    assert one_file.code == 2
    assert "give a folder" in one_file.err


@pytest.fixture
def bad_files(tmp_path: Path, walk: Path) -> dict[str, Path]:
    """One file of each kind that people have."""
    good = walk.read_bytes()
    made = {name: tmp_path / f"{name}.mp4" for name in ("absent", "empty", "text", "cut", "random")}
    made["empty"].touch()
    made["text"].write_text("dear diary\n" * 50)
    made["cut"].write_bytes(good[: len(good) * 2 // 3])
    made["random"].write_bytes(bytes(i * 7919 % 251 for i in range(20000)))
    made["sound"] = tmp_path / "sound.wav"
    with av.open(str(made["sound"]), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    made["folder"] = tmp_path / "nothing"
    made["folder"].mkdir()
    return made


@pytest.mark.parametrize("kind", ["absent", "empty", "text", "cut", "random", "sound", "folder"])
def test_a_bad_file_is_one_line_exit_code_two_and_no_output(
    kind: str, muybridge: Run, bad_files: dict[str, Path], checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    ran = muybridge(
        "recognize", bad_files[kind], "--checkpoint", checkpoint, "--save", out / "o.mp4", "--report", out / "o.html",
        "--json", out / "o.json",
    )  # fmt: skip
    assert ran.code == 2
    assert ran.out == ""
    assert len(ran.err.splitlines()) == 1
    assert str(bad_files[kind]) in ran.err
    assert list(out.iterdir()) == []


def test_one_bad_file_does_not_stop_the_others(
    muybridge: Run, bad_files: dict[str, Path], walk: Path, checkpoint: Path
) -> None:
    ran = muybridge("recognize", bad_files["text"], walk, "--checkpoint", checkpoint, "--json", "-")
    assert ran.code == 2
    assert json.loads(ran.out)["video"] == str(walk)
    assert "1 of 2 videos done" in ran.err


def test_a_damaged_file_is_used_when_asked(
    muybridge: Run, bad_files: dict[str, Path], walk: Path, checkpoint: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole.mkv"  # a container without a table at its end, so that a part can be read
    with av.open(str(walk)) as source, av.open(str(whole), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    ran = muybridge("recognize", cut, "--checkpoint", checkpoint, "--partial", "--json", "-")
    assert ran.code == 0
    assert json.loads(ran.out)["duration_s"] > 0


def test_limits_refuse_and_can_be_raised(muybridge: Run, walk: Path, checkpoint: Path) -> None:
    for option, limit, enough in [("--max-duration", "1s", "1h"), ("--max-pixels", "100", "4800")]:
        refused = muybridge("recognize", walk, "--checkpoint", checkpoint, option, limit)
        assert refused.code == 2
        assert option in refused.err
        assert len(refused.err.splitlines()) == 1
        assert muybridge("recognize", walk, "--checkpoint", checkpoint, option, enough).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--window", "soon"], "not a length of time"),
        (["--window", "0s"], "not a length of time"),
        (["--every", "1s"], "--every needs --window"),
        (["--crops", "2"], "must be 1 or 3"),
        (["--device", "toaster"], "no device 'toaster'"),
        (["--save", "out.avi"], "wanted a .mp4 file or a folder"),
    ],
)
def test_a_slip_in_the_options_is_told(
    arguments: list[str], words: str, muybridge: Run, walk: Path, checkpoint: Path
) -> None:
    ran = muybridge("recognize", walk, "--checkpoint", checkpoint, *arguments)
    assert ran.code == 2
    assert words in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_a_wrong_checkpoint_is_one_line(muybridge: Run, walk: Path) -> None:
    ran = muybridge("recognize", walk, "--checkpoint", walk)
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert str(walk) in ran.err
