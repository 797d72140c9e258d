"""Models of optical flow, and two streams, as a person uses them from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from muybridge.metrics.runs import read_run
from muybridge.model_file import load_model

pytest.importorskip("cv2", reason="OpenCV makes this flow")

Run = Callable[..., Any]
QUICK = [
    "model.options.width=4", "clip.frames=4", "clip.size=32", "clip.test_clips=2", "data.num_workers=0",
    "data.batch_size=4", "train.epochs=1",
]  # fmt: skip


def trained(film: Path, out: Path, *settings: str, **options: Any) -> Path:
    from muybridge.cli.train import run_training
    from muybridge.recipe import load_recipe

    run_training(film, load_recipe("scratch", [*QUICK, *settings]), out, devices="1", **options)
    return out


@pytest.fixture(scope="module")
def rgb(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that sees RGB."""
    return trained(film, tmp_path_factory.mktemp("runs") / "rgb")


@pytest.fixture(scope="module")
def flow(film: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that sees flow."""
    settings = ("model.name=tiny3d_flow", "data.flow=farneback")
    return trained(film, tmp_path_factory.mktemp("runs") / "flow", *settings)


@pytest.fixture
def walk(film: Path) -> Path:
    """A video."""
    return film / "test" / "walk" / "walk_s0000.mp4"


def scores(ran: Any) -> dict[str, float]:
    assert ran.code == 0, ran.err
    return {row["label"]: row["score"] for row in json.loads(ran.out)["top"]}


def test_a_model_of_flow_remembers_how_flow_was_made(flow: Path) -> None:
    loaded = load_model(flow)
    assert loaded.clip.modality == "flow"
    assert loaded.facts["flow"] == {"method": "farneback", "folder": None}


def test_it_recognizes_and_is_tested_with_that_flow(
    muybridge: Run, flow: Path, film: Path, walk: Path
) -> None:
    ran = muybridge("recognize", walk, "--checkpoint", flow, "--window", "1s", "--json", "-")
    assert sum(scores(ran).values()) == pytest.approx(1, abs=1e-5)
    assert "note: flow by farneback" in ran.err
    by_dis = muybridge("recognize", walk, "--checkpoint", flow, "--flow-from", "dis", "--json", "-")
    assert scores(by_dis) != scores(muybridge("recognize", walk, "--checkpoint", flow, "--json", "-"))
    tested = muybridge("test", film, "--checkpoint", flow, "--json")
    assert tested.code == 0, tested.err
    assert json.loads(tested.out)["clip"]["modality"] == "flow"


def test_two_streams_answer_with_the_weighted_mean(muybridge: Run, rgb: Path, flow: Path, walk: Path) -> None:
    alone = [
        scores(muybridge("recognize", walk, "--checkpoint", path, "--json", "-")) for path in (rgb, flow)
    ]
    both = muybridge("recognize", walk, "--rgb", rgb, "--flow", flow, "--weights", "1:3", "--json", "-")
    for label, score in scores(both).items():
        assert score == pytest.approx((alone[0][label] + 3 * alone[1][label]) / 4, abs=1e-5)
    assert json.loads(both.out)["model"] == "tiny3d + tiny3d_flow"
    surer = muybridge("recognize", walk, "--rgb", rgb, "--flow", flow, "--average", "logits", "--json", "-")
    assert set(scores(surer)) == {"fall", "walk"}


def test_both_are_measured_alone_and_together(muybridge: Run, rgb: Path, flow: Path, film: Path) -> None:
    alone = [json.loads(muybridge("test", film, "--checkpoint", path, "--json").out) for path in (rgb, flow)]
    ran = muybridge("test", film, "--rgb", rgb, "--flow", flow, "--weights", "1:0", "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    for key, known in zip(("rgb", "flow"), alone, strict=True):
        assert told[key]["answers"] == known["answers"]
        assert told[key]["views"] == known["views"]
    assert told["both"]["answers"] == alone[0]["answers"]  # the weight of flow is 0
    assert told["both"]["views"] == alone[0]["views"] + alone[1]["views"]
    said = muybridge("test", film, "--rgb", rgb, "--flow", flow, "--average", "logits")
    assert [line.split()[0] for line in said.out.splitlines()[-3:]] == ["tiny3d", "tiny3d_flow", "both"]
    for options in (("--rgb", rgb), (), ("--rgb", rgb, "--flow", flow, "--against", "r.json")):
        assert muybridge("test", film, *options).code == 2


def test_both_leave_what_one_leaves(
    muybridge: Run, rgb: Path, flow: Path, film: Path, tmp_path: Path
) -> None:
    out = tmp_path / "both"
    ran = muybridge("test", film, "--rgb", rgb, "--flow", flow, "--out", out, "--markdown")
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == 2 + 3
    assert {file.name for file in out.iterdir()} == {"rgb", "flow", "both", "gains.png"}
    for key in ("rgb", "flow", "both"):
        assert {file.name for file in (out / key).iterdir()} == {
            "classes.png",
            "confusion.png",
            "result.json",
        }
    runs = {key: read_run(out / key / "result.json") for key in ("rgb", "flow", "both")}
    assert runs["both"].gflops == pytest.approx(runs["rgb"].gflops + runs["flow"].gflops)
    assert runs["both"].parameters == runs["rgb"].parameters + runs["flow"].parameters
    assert muybridge("compare", out / "rgb", out / "both").code == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rgb", "RGB"), "--rgb and --flow together"),
        (("--flow", "FLOW"), "--rgb and --flow together"),
        (("--rgb", "RGB", "--flow", "FLOW", "--checkpoint", "RGB"), "leave --checkpoint and --model out"),
        (("--checkpoint", "RGB", "--weights", "1:2"), "are of two streams"),
        (("--rgb", "RGB", "--flow", "FLOW", "--weights", "2"), "write for example 1:1.5"),
        (("--rgb", "RGB", "--flow", "FLOW", "--weights=-1:2"), "must be positive numbers"),
        (("--rgb", "RGB", "--flow", "FLOW", "--average", "max"), "must be probabilities or logits"),
        (("--rgb", "RGB", "--flow", "FLOW", "--flow-from", "farnback"), "farneback"),
        (("--rgb", "RGB", "--flow", "FLOW", "--flow-from", "no/folder"), "no such folder of stored flow"),
        (("--checkpoint", "RGB", "--flow-from", "dis"), "sees no optical flow"),
        (("--rgb", "RGB", "--flow", "tiny3d.figures"), "known to one alone"),
    ],
)
def test_what_makes_no_pair_is_told(
    options: tuple[str, ...], says: str, muybridge: Run, rgb: Path, flow: Path, walk: Path
) -> None:
    given = [{"RGB": str(rgb), "FLOW": str(flow)}.get(option, option) for option in options]
    ran = muybridge("recognize", walk, *given)
    assert (ran.code, ran.out) == (2, "")
    assert says in " ".join(ran.err.split())
    assert "Traceback" not in ran.err


def test_a_film_of_one_frame_has_no_flow(muybridge: Run, flow: Path, tmp_path: Path) -> None:
    from muybridge.video.writer import VideoWriter

    with VideoWriter(tmp_path / "one.mp4", fps=10) as writer:
        writer.write(torch.zeros(3, 48, 64, dtype=torch.uint8))
    ran = muybridge("recognize", tmp_path / "one.mp4", "--checkpoint", flow)
    assert ran.code == 2
    assert "one.mp4: has one frame, and flow goes from one to the next" in ran.err
    assert "Traceback" not in ran.err


def test_stored_flow_is_trained_on_and_tested_on_again(
    muybridge: Run, film: Path, walk: Path, tmp_path: Path
) -> None:
    from muybridge.flow import open_method
    from muybridge.flow.parts import store_flow
    from muybridge.video import Video

    kept = tmp_path / "kept"
    for path in film.glob("*/*/*.mp4"):
        target = (kept / path.relative_to(film)).with_suffix(".flow.mp4")
        target.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work").mkdir()
        with Video(path) as video:
            store_flow(video, target, open_method("farneback"), work=tmp_path / "work")
    run = trained(film, tmp_path / "run", "model.name=tiny3d_flow", f"data.flow={kept}")
    assert load_model(run).facts["flow"] == {"method": "farneback", "folder": str(kept)}
    assert muybridge("test", film, "--checkpoint", run).code == 0
    assert "flow by farneback" in muybridge("recognize", walk, "--checkpoint", run).err
    assert "flow by" not in muybridge("recognize", walk, "--checkpoint", run, "--flow-from", kept).err
    for stored in kept.glob("test/*/*"):
        stored.unlink()
    missing = muybridge("test", film, "--checkpoint", run)
    assert missing.code == 2
    assert "has no flow in" in missing.err


def test_what_sees_colours_starts_what_sees_flow(
    muybridge: Run, film: Path, rgb: Path, tmp_path: Path
) -> None:
    ran = muybridge(
        "train", film, "--start", rgb, "--model", "tiny3d_flow", "--out", tmp_path / "run", "data.flow=farneback",
        "data.num_workers=0", "train.epochs=1", "train.lr=1e-9", "train.weight_decay=0",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "what tiny3d sees in colours is the start of what tiny3d_flow sees in flow" in ran.err
    before, after = load_model(rgb), load_model(tmp_path / "run")
    assert (after.name, after.clip.modality, after.clip.size) == ("tiny3d_flow", "flow", 32)
    old, new = (loaded.model.state_dict()["stem.frames.conv.weight"] for loaded in (before, after))
    torch.testing.assert_close(new, old.mean(1, keepdim=True).expand(-1, 2, -1, -1, -1), atol=1e-6, rtol=1e-4)
    other = muybridge("train", film, "--start", rgb, "--model", "i3d_flow", "--out", tmp_path / "other")
    assert other.code == 2
    assert "tiny3d can't become i3d_flow" in other.err
    assert not (tmp_path / "other").exists()


def test_loader_processes_can_not_share_a_gpu_for_flow(muybridge: Run, film: Path, tmp_path: Path) -> None:
    ran = muybridge(
        "train", film, "--model", "tiny3d_flow", "--out", tmp_path / "run", "data.flow_device=cuda"
    )
    assert ran.code == 2
    assert "set data.num_workers=0" in ran.err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "frames"),
    [("tsn_r50_flow", 3), ("two_stream_inception", 10), ("two_stream_i3d", 16)],
)
def test_the_papers_networks_learn_and_answer(
    model: str, frames: int, muybridge: Run, film: Path, walk: Path, tmp_path: Path
) -> None:
    stored = muybridge(
        "flow", film, "--store", tmp_path / "kept", "--method", "farneback", "--short-side", 64
    )
    assert stored.code == 0, stored.err
    ran = muybridge(
        "train", film, "--model", model, "--out", tmp_path / "run", f"data.flow={tmp_path / 'kept'}",
        f"clip.frames={frames}", "clip.size=64", "clip.short_side=64", "clip.test_clips=1", "clip.test_crops=1",
        "data.num_workers=0", "data.batch_size=4", "train.epochs=1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    options = ("--checkpoint", tmp_path / "run", "--flow-from", "farneback", "--json", "-")
    assert sum(scores(muybridge("recognize", walk, *options)).values()) == pytest.approx(1, abs=1e-5)
