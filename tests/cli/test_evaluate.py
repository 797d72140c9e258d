"""`muybridge test` and `compare`: cost, speed, a second run to compare with, rows for a model card."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from muybridge.cli.evaluate import measure
from muybridge.model_file import save_model
from muybridge.models import create_model
from muybridge.types import ClipSpec

Run = Callable[..., Any]
CLIP = ClipSpec(frames=4, stride=1, size=32, short_side=36, test_clips=2, test_crops=1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright films, and two models: `guess` says fall to everything, `knows` tells bright from dark."""
    desk = tmp_path_factory.mktemp("desk")
    for label, grey in (("fall", 40), ("walk", 200)):
        for video in range(4):
            folder = desk / "films" / "test" / label / f"{label}{video}"
            folder.mkdir(parents=True)
            for frame in range(6):
                Image.fromarray(np.full((36, 48, 3), grey + video, np.uint8)).save(
                    folder / f"{frame:04d}.png"
                )
    for name in ("guess", "knows"):
        torch.manual_seed(0)
        model = create_model("tiny3d", num_classes=2, width=4).eval()
        with torch.inference_mode():
            dark, bright = (
                model.features(torch.full((1, 3, 4, 32, 32), v)).mean((2, 3, 4))[0] for v in (-1.3, 1.5)
            )
        (classifier,) = model.classifiers
        linear = next(part for part in classifier.modules() if isinstance(part, torch.nn.Linear))
        with torch.no_grad():
            across = (bright - dark) / (bright - dark).norm() ** 2
            linear.weight.copy_(
                torch.stack([-across, across]) if name == "knows" else torch.zeros(2, len(dark))
            )
            middle = float(across @ (bright + dark) / 2)
            linear.bias.copy_(torch.tensor([middle, -middle] if name == "knows" else [1.0, 0.0]))
        save_model(
            desk / f"{name}.safetensors", model, name="tiny3d", options={"width": 4}, labels=["fall", "walk"],
            clip=CLIP, facts={"start": "x3d_s.k400"} if name == "knows" else {},
        )  # fmt: skip
    return desk


@pytest.fixture(scope="module")
def measured(desk: Path) -> tuple[Path, Path]:
    """Folders of what both models reached."""
    for name in ("guess", "knows"):
        measure(desk / "films", str(desk / f"{name}.safetensors"), out=desk / name)
    return desk / "guess", desk / "knows"


def test_a_result_tells_how_it_was_measured_and_what_it_cost(measured: tuple[Path, Path]) -> None:
    guess = json.loads((measured[0] / "result.json").read_text())
    assert guess["top1"] == 0.5
    assert guess["top1_interval"] == pytest.approx([0.2152, 0.7848], abs=1e-4)  # Wilson, 4 of 8
    assert (guess["model"], guess["clips"], guess["crops"], guess["split"]) == ("tiny3d", 2, 1, "test")
    assert guess["throughput"]["batch"] == 2
    assert guess["throughput"]["passes"] == 7  # eight videos, one of them to warm up
    assert guess["throughput"]["clips_per_second"] > 0
    assert guess["throughput"]["threads"] == torch.get_num_threads()
    for picture in ("classes.png", "confusion.png"):
        assert (measured[0] / picture).read_bytes().startswith(b"\x89PNG")


def test_against_another_run_tells_what_each_class_gained(
    desk: Path, muybridge: Run, measured: tuple[Path, Path], tmp_path: Path
) -> None:
    arguments = ("test", desk / "films", "--checkpoint", desk / "knows.safetensors")
    ran = muybridge(*arguments, "--against", measured[0] / "result.json", "--out", tmp_path / "again")
    assert ran.code == 0, ran.err
    assert "knows against guess, on 8 videos that both measured" in ran.out
    assert "top-1  50.0% -> 100.0%  (+50.0 points" in ran.out
    assert "right in one only: 0 in guess, 4 in knows (McNemar's exact test: p = 0.12)" in ran.out  # 2 / 2**4
    assert [line.split() for line in ran.out.splitlines()[-2:]] == [
        ["walk", "4", "0.0%", "100.0%", "+100.0"],
        ["fall", "4", "100.0%", "100.0%", "+0.0"],
    ]
    assert (tmp_path / "again" / "gains.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads((tmp_path / "again" / "result.json").read_text())["against"]
    assert told["p_value"] == 0.125
    assert told["per_class"][1]["gain"] == 1.0


def test_a_row_for_a_model_card(desk: Path, muybridge: Run) -> None:
    ran = muybridge(
        "test", desk / "films", "--checkpoint", desk / "knows.safetensors", "--crops", 3, "--markdown"
    )
    head, rule, row = ([cell.strip() for cell in line.strip("|").split("|")] for line in ran.out.splitlines())
    assert set(rule) == {"---"}
    told = dict(zip(head, row, strict=True))
    assert told["model"] == "tiny3d"
    assert told["pretrain"] == "x3d_s.k400"
    assert (told["clip"], told["size"], told["views"]) == ("4x1", "32", "2x3")
    assert told["top-1 (95%)"] == "100.0 (67.6 to 100.0)"  # Wilson, 8 of 8
    assert told["GFLOPs x views"].endswith(" x 6")
    assert (told["data"], told["videos"]) == ("films test", "8")


def test_compare_puts_runs_side_by_side(muybridge: Run, measured: tuple[Path, Path], tmp_path: Path) -> None:
    pictures = tmp_path / "cost.png", tmp_path / "gains.png"
    ran = muybridge("compare", *measured, "--save", pictures[0], "--gains", pictures[1])
    assert ran.code == 0, ran.err
    rows = {line.split()[0]: line.split() for line in ran.out.partition("\n\n")[0].splitlines()}
    assert rows["guess"][1] == "50.0%"
    assert rows["knows"][1:3] == ["100.0%", "+50.0"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    told = json.loads(muybridge("compare", *measured, "--json").out)
    assert [run["name"] for run in told["runs"]] == ["guess", "knows"]
    assert told["against_first"][0]["only_after"] == 4
    table = muybridge("compare", *measured, "--markdown").out.splitlines()
    assert len(table) == 4
    assert [line.count("|") for line in table] == [13 - 1] * 4


def broken(values: dict[str, Any], kind: str) -> str:
    """A `result.json` with which something is wrong."""
    if kind == "torn":
        return json.dumps(values)[:200]
    if kind == "empty":
        return ""
    if kind == "labels":
        values["labels"].append("fly")
    if kind == "videos":
        values["answers"] = [answer | {"video": f"/x/{n}.mp4"} for n, answer in enumerate(values["answers"])]
    if kind == "foreign":
        values = {"version": "VERSION 1.3", "results": {}}
    return json.dumps(values)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("torn", "not JSON, or cut short"),
        ("empty", "not JSON, or cut short"),
        ("labels", "only one of them has fly"),
        ("videos", "no video in common"),
        ("foreign", "model: Field required"),
    ],
)
def test_a_run_that_cannot_be_compared_is_one_line_and_leaves_nothing(
    kind: str, why: str, desk: Path, muybridge: Run, measured: tuple[Path, Path], tmp_path: Path
) -> None:
    values = json.loads((measured[0] / "result.json").read_text())
    odd = tmp_path / "odd.json"
    odd.write_text(broken(values, kind))
    arguments = (
        "test",
        desk / "films",
        "--checkpoint",
        desk / "knows.safetensors",
        "--out",
        tmp_path / "new",
    )
    for ran in (
        muybridge(*arguments, "--against", odd),
        muybridge("compare", odd, measured[1], "--save", tmp_path / "new"),
    ):
        assert ran.code == 2
        assert why in ran.err
        assert len([line for line in ran.err.splitlines() if line.startswith("muybridge:")]) == 1
        assert not (tmp_path / "new").exists()


def test_a_slip_is_told_before_anything_is_read(muybridge: Run, tmp_path: Path) -> None:
    ran = muybridge("compare", tmp_path / "a", tmp_path / "b", "--gains", tmp_path / "none" / "g.png")
    assert ran.code == 2
    assert "make it first" in ran.err
    ran = muybridge("compare", tmp_path / "a", "--gains", tmp_path / "g.png")
    assert ran.code == 2
    assert "--gains compares two runs" in ran.err
    ran = muybridge("compare", tmp_path / "a")
    assert ran.code == 2
    assert "No such file" in ran.err


def test_several_labels_per_video_are_measured_by_map(desk: Path, muybridge: Run, tmp_path: Path) -> None:
    films = sorted((desk / "films" / "test").glob("*/*"))
    shown = {
        "fall": "fall",
        "walk": "fall|walk",
    }  # both models rank walk, only one of them better than by chance
    rows = [f"{film},{shown[film.parent.name]},test" for film in films]
    (tmp_path / "list.csv").write_text("\n".join(["path,labels,split", *rows]))
    for name in ("guess", "knows"):
        checkpoint = desk / f"{name}.safetensors"
        ran = muybridge("test", tmp_path / "list.csv", "--checkpoint", checkpoint, "--out", tmp_path / name)
        assert ran.code == 0, ran.err
    assert "mAP         100.0%" in ran.out
    guess = json.loads((tmp_path / "guess" / "result.json").read_text())
    assert guess["map"] == pytest.approx((1.0 + 0.5) / 2)
    assert sorted(path.name for path in (tmp_path / "guess").iterdir()) == ["classes.png", "result.json"]
    compared = muybridge("compare", tmp_path / "guess", tmp_path / "knows")
    assert "mAP  75.0% -> 100.0%  (+25.0 points" in compared.out
    assert "| mAP |" in muybridge("compare", tmp_path / "guess", "--markdown").out
