"""`muybridge train` and `test`, as a person types them, on a film small enough to wait for."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from muybridge.model_file import load_model

Run = Callable[..., Any]
QUICK = [
    "model.options.width=4", "clip.frames=4", "clip.size=32", "clip.test_clips=1", "data.num_workers=0",
    "data.batch_size=4",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run of two epochs."""
    from muybridge.cli.train import run_training
    from muybridge.recipe import load_recipe

    out = tmp_path_factory.mktemp("runs") / "first"
    run_training(film, load_recipe("scratch", [*QUICK, "train.epochs=2"]), out, devices="1")
    return out


def test_a_run_leaves_a_model_that_describes_itself_and_its_pictures(trained: Path, film: Path) -> None:
    names = {p.name for p in trained.iterdir()}
    assert {
        "model.safetensors",
        "curve.png",
        "confusion.png",
        "metrics.csv",
        "recipe.json",
        "tensorboard",
    } <= names
    loaded = load_model(trained)
    assert loaded.labels == ("fall", "walk")
    assert (loaded.clip.frames, loaded.clip.size) == (4, 32)
    assert loaded.facts["data"] == str(film.resolve())
    assert loaded.facts["measured"]["on"] == "test"
    for picture in ("curve.png", "confusion.png"):
        assert (trained / picture).read_bytes().startswith(b"\x89PNG")


def test_test_says_views_cost_and_a_row_per_class(
    muybridge: Run, trained: Path, film: Path, tmp_path: Path
) -> None:
    ran = muybridge(
        "test",
        film,
        "--checkpoint",
        trained / "model.safetensors",
        "--clips",
        2,
        "--crops",
        3,
        "--out",
        tmp_path / "t",
    )
    assert ran.code == 0
    assert "6 views each (2 clips x 3 crops)" in ran.out
    assert "GFLOPs" in ran.out
    assert "M parameters" in ran.out
    for label in ("fall", "walk"):
        assert any(line.startswith(label) for line in ran.out.splitlines())
    assert sorted(p.name for p in (tmp_path / "t").iterdir()) == [
        "classes.png",
        "confusion.png",
        "result.json",
    ]


def test_test_as_json_adds_up(muybridge: Run, trained: Path, film: Path) -> None:
    ran = muybridge("test", film, "--checkpoint", trained, "--split", "all", "--json")
    told = json.loads(ran.out)
    confusion = told["confusion"]
    assert sum(map(sum, confusion)) == told["videos"] == 12
    assert told["top1"] == pytest.approx((confusion[0][0] + confusion[1][1]) / 12)
    assert [sum(row) for row in confusion] == [6, 6]


def test_without_a_split_only_what_training_held_out_is_measured(
    muybridge: Run, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten videos in class folders, three held out: asking for all ten would ask what was learnt by heart."""
    monkeypatch.chdir(tmp_path)
    for source in sorted((film / "train").rglob("*.mp4")) + sorted((film / "val").rglob("*.mp4")):
        target = tmp_path / "clips" / source.parent.name / f"{source.parent.parent.name}_{source.name}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    out = tmp_path / "run"
    trained = muybridge(
        "train", "clips", "--out", out, *QUICK, "train.epochs=1", "data.val_fraction=0.3", "train.seed=5"
    )
    assert trained.code == 0, trained.err
    held_out = load_model(out).facts["videos"]["val"]
    told = json.loads(muybridge("test", "clips", "--checkpoint", out, "--json").out)
    assert (told["split"], told["videos"]) == ("val", held_out)
    assert told["top1"] == pytest.approx(load_model(out).facts["measured"]["top1"])
    moved = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "clips", moved)
    assert json.loads(muybridge("test", moved, "--checkpoint", out, "--json").out)["videos"] == 10
    shutil.copy(next((moved / "walk").iterdir()), tmp_path / "clips" / "walk" / "new.mp4")
    assert "changed since training" in muybridge("test", "clips", "--checkpoint", out).err


def test_resume_goes_on_with_the_runs_own_recipe(
    muybridge: Run, trained: Path, film: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    ran = muybridge("train", film, "--resume", copy, "train.epochs=3")
    assert ran.code == 0, ran.err
    rows = (copy / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "1", "2", "3"]
    assert load_model(copy).clip.frames == 4


def test_fine_tuning_replaces_the_classifier(
    muybridge: Run, trained: Path, film: Path, tmp_path: Path
) -> None:
    data = tmp_path / "three"
    for number, label in enumerate(("left", "middle", "right")):
        (data / label).mkdir(parents=True)
        for i, source in enumerate(sorted((film / "train" / "walk").iterdir())[:2]):
            shutil.copy(source, data / label / f"take{number}{i}.mp4")
    ran = muybridge(
        "train", data, "--start", trained / "model.safetensors", "--out", tmp_path / "tuned", "--freeze-backbone",
        "train.epochs=1", "data.num_workers=0", "data.val_fraction=0.5",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    before, after = load_model(trained), load_model(tmp_path / "tuned")
    assert after.labels == ("left", "middle", "right")
    assert after.clip == before.clip
    old, new = before.model.state_dict(), after.model.state_dict()
    same = {key for key in old if old[key].shape == new[key].shape and bool((old[key] == new[key]).all())}
    assert set(old) - same == {"head.linear.weight", "head.linear.bias"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{tmp}/absent"], "no such folder or list"),
        (["{film}/test/walk"], "no videos"),
        (["{film}", "--model", "tiny4d"], "did you mean tiny3d"),
        (["{film}", "train.lrr=1"], "did you mean train.lr"),
        (["{film}", "--recipe", "scrach"], "did you mean scratch"),
        (["{film}", "--start", "{tmp}/absent.safetensors"], "no such file"),
        (["{film}", "--resume", "{tmp}/absent"], "no such folder; start one: muybridge train"),
        (["{film}", "--resume", "{film}"], "no run in it"),
        (["{film}", "--model", "tiny3d", "--start", "x.safetensors"], "x.safetensors: no such file"),
        (["{film}", "--out", "{film}"], "exists already"),
        (["{film}", "--out", "{tmp}/out", "--devices", "none"], "devices is 'none'"),
    ],
)
def test_a_slip_is_one_line_and_leaves_nothing(
    arguments: list[str],
    words: str,
    muybridge: Run,
    film: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = muybridge("train", *[a.format(film=film, tmp=tmp_path) for a in arguments])
    assert ran.code == 2
    assert words in ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith("muybridge:")]) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_at_once_leaves_nothing(muybridge: Run, film: Path, tmp_path: Path) -> None:
    ran = muybridge(
        "train", film, "--out", tmp_path / "run", "--model", "c3d", "clip.size=64", "data.num_workers=0"
    )
    assert ran.code == 2
    assert "112x112" in ran.err
    assert "Traceback" not in ran.err
    assert list(tmp_path.iterdir()) == []


def test_another_projects_file_is_fine_tuned_and_used(muybridge: Run, film: Path, tmp_path: Path) -> None:
    torch.save(
        torchvision.models.video.r3d_18(weights=None, num_classes=9).state_dict(), tmp_path / "r3d.pth"
    )
    run = tmp_path / "run"
    ran = muybridge(
        "train", film, "--start", tmp_path / "r3d.pth", "--out", run, "--freeze-backbone", "train.epochs=1",
        "clip.frames=4", "clip.size=32", "clip.test_clips=1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    video = film / "test" / "walk" / "walk_s0000.mp4"
    told = json.loads(muybridge("recognize", video, "--checkpoint", run, "--json", "-").out)
    assert {row["label"] for row in told["top"]} == {"walk", "fall"}


def test_labels_for_an_unnamed_file_can_be_given_to_test(muybridge: Run, film: Path, tmp_path: Path) -> None:
    torch.save(
        torchvision.models.video.r3d_18(weights=None, num_classes=2).state_dict(), tmp_path / "r3d.pth"
    )
    (tmp_path / "labels.txt").write_text("fall\nwalk\n")
    asked = ("test", film, "--checkpoint", tmp_path / "r3d.pth", "--clips", 1, "--json")
    unnamed = muybridge(*asked)
    assert unnamed.code == 2
    assert "--labels FILE" in unnamed.err
    assert muybridge(*asked, "--labels", tmp_path / "labels.txt").code == 0


def test_what_a_killed_run_left_is_no_obstacle(muybridge: Run, film: Path, tmp_path: Path) -> None:
    """Killed in its first epoch, a run leaves a recipe, logs and half a checkpoint."""
    out = tmp_path / "run"
    first = muybridge("train", film, "--out", out, *QUICK, "train.epochs=1")
    assert first.code == 0, first.err
    for arguments in (("--out", out, *QUICK, "train.epochs=1"), ("--resume", out)):
        for name in ("last.ckpt", "metrics.csv", "model.safetensors", "curve.png", "confusion.png"):
            (out / name).unlink()
        (out / ".last.part.ckpt").write_bytes(b"half")
        (out / ".best.123.part.ckpt").write_bytes(b"half")
        ran = muybridge("train", film, *arguments)
        assert ran.code == 0, ran.err
        assert "was killed here before its first epoch was done; starting it anew" in ran.err
        assert load_model(out).facts["best_epoch"] == 1
        assert not [path.name for path in out.iterdir() if ".part" in path.name or path.name == ".lock"]
    (out / "last.ckpt").unlink()
    (out / "notes.txt").write_text("mine")
    ran = muybridge("train", film, "--out", out, *QUICK)
    assert (ran.code, (out / "notes.txt").read_text()) == (2, "mine")


def test_a_run_that_is_alive_is_left_alone(muybridge: Run, film: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "recipe.json").write_text("{}")
    holds = (
        "import fcntl, os, sys; f = open(sys.argv[1], 'w'); fcntl.lockf(f, fcntl.LOCK_EX); f.write(str(os.getpid())); "
        "f.flush(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holds, str(out / ".lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        for arguments in (("--out", out), ("--resume", out)):
            ran = muybridge("train", film, *arguments, *QUICK)
            assert ran.code == 2
            assert f"a run is being written here (process {other.pid})" in ran.err
        other.communicate()
    assert sorted(path.name for path in out.iterdir()) == [".lock", "recipe.json"]


def test_a_run_goes_on_elsewhere_only_in_a_folder_of_its_own(
    muybridge: Run, trained: Path, film: Path, tmp_path: Path
) -> None:
    ran = muybridge("train", film, "--resume", trained, "--out", film)
    assert ran.code == 2
    assert "exists already" in ran.err
    moved = tmp_path / "moved"
    ran = muybridge("train", film, "--resume", trained, "--out", moved, "train.epochs=3")
    assert ran.code == 0, ran.err
    assert len((moved / "metrics.csv").read_text().splitlines()) == 4


def test_a_published_split_is_chosen_and_remembered(muybridge: Run, film: Path, tmp_path: Path) -> None:
    """UCF101's own lists, with two splits; the videos lie elsewhere."""
    lists, videos = tmp_path / "lists", tmp_path / "videos"
    lists.mkdir()
    videos.mkdir()
    (lists / "classInd.txt").write_text("1 Fall\n2 Walk\n")
    lines: dict[str, list[str]] = {name: [] for name in ("train1", "test1", "train2", "test2")}
    for number, label in enumerate(("Fall", "Walk"), 1):
        for group, source in enumerate(sorted((film / "train" / label.lower()).iterdir())[:4], 1):
            name = f"{label}/v_{label}_g{group:02}_c01.mp4"
            shutil.copy(source, videos / Path(name).name)
            # The first split keeps group 4 for testing, the second groups 1 and 2.
            lines["test1" if group == 4 else "train1"].append(name)
            lines["test2" if group <= 2 else "train2"].append(name)
            for part in ("train1", "train2"):
                lines[part] = [line if " " in line else f"{line} {number}" for line in lines[part]]
    for name, found in lines.items():
        (lists / f"{name[:-1]}list0{name[-1]}.txt").write_text("\n".join(found) + "\n")
    out = tmp_path / "run"
    where = ("--videos", videos, "--split-number", 2)
    ran = muybridge("train", lists, *where, "--out", out, *QUICK, "train.epochs=1", "data.val_fraction=0.5")
    assert ran.code == 0, ran.err
    assert "UCF101" in ran.err.splitlines()[0]
    facts = load_model(out).facts
    assert (facts["split_number"], facts["footage"], facts["start"]) == (2, str(videos), None)
    assert facts["videos"] == {"train": 2, "val": 2, "test": 4}
    # The same lists are measured as they were trained on; another split is said to hold what was learnt.
    told = json.loads(muybridge("test", lists, "--checkpoint", out, "--json").out)
    assert (told["split"], told["videos"]) == ("test", 4)
    other = muybridge("test", lists, "--checkpoint", out, "--split-number", 1, "--json")
    assert json.loads(other.out)["videos"] == 2
    assert "trained on split 2" in other.err
    checked = muybridge("data", "check", lists, *where)
    assert "UCF101" in checked.err
    assert "8 videos" in checked.out
    # A resumed run needs to be told neither.
    again = muybridge("train", lists, "--resume", out, "train.epochs=2")
    assert again.code == 0, again.err
    assert load_model(out).facts["split_number"] == 2


def test_several_labels_from_a_list_to_an_answer(muybridge: Run, film: Path, tmp_path: Path) -> None:
    rows = ["path,labels,split"]
    for split in ("train", "val"):
        for label in ("fall", "walk"):
            rows += [
                f"{path},{label if n % 2 else 'person|' + label},{split}"
                for n, path in enumerate(sorted((film / split / label).iterdir()))
            ]
    (tmp_path / "mine.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "run"
    ran = muybridge("train", tmp_path / "mine.csv", "--out", out, *QUICK, "train.epochs=1")
    assert ran.code == 0, ran.err
    assert "val: mAP" in ran.err
    assert (out / "classes.png").read_bytes().startswith(b"\x89PNG")
    assert not (out / "confusion.png").exists()
    loaded = load_model(out)
    assert (loaded.labels, loaded.multi_label) == (("fall", "person", "walk"), True)
    told = json.loads(muybridge("test", tmp_path / "mine.csv", "--checkpoint", out, "--json").out)
    assert told["map"] == pytest.approx(loaded.facts["measured"]["map"])
    assert not muybridge("test", film, "--checkpoint", out, "--json").code
