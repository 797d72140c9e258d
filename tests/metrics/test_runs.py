"""Two runs by hand: what a `result.json` must hold, and what each class gained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from muybridge.metrics.comparison import compare
from muybridge.metrics.runs import Run, read_run


def single(said: dict[str, tuple[str, str]], **changes: Any) -> dict[str, Any]:
    """What a run writes that answered so: video to (truth, answer)."""
    right = sum(truth == answer for truth, answer in said.values())
    return {
        "model": "x3d_s",
        "data": "/films",
        "split": "test",
        "clip": {"frames": 13, "stride": 6, "size": 182, "mean": [0.45]},
        "clips": 10,
        "crops": 3,
        "gflops_per_view": 1.96,
        "parameters": 3_790_000,
        "labels": ["run", "sit", "fly"],
        "videos": len(said),
        "top1": right / len(said),
        "top5": 1.0,
        "answers": [{"video": v, "truth": t, "answer": a} for v, (t, a) in said.items()],
    } | changes


FIRST = {"a": ("run", "run"), "b": ("run", "sit"), "c": ("sit", "sit"), "d": ("sit", "run")}
SECOND = {"a": ("run", "run"), "b": ("run", "run"), "c": ("sit", "run"), "d": ("sit", "sit")}


def below(folder: str, answers: dict[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    return {f"{folder}/{name}.mp4": pair for name, pair in answers.items()}


def test_gains_of_two_runs() -> None:
    one = Run.model_validate(single(below("/films/test", FIRST)))
    two = Run.model_validate(single(dict(reversed(below("/films/test", SECOND).items()))))
    compared = compare(one, two)
    assert (compared.before, compared.after, compared.videos) == (0.5, 0.75, 4)
    assert (compared.only_before, compared.only_after) == (1, 2)
    assert compared.p_value == 1.0
    run, sit, fly = compared.per_class
    assert (run.before, run.after, run.gain) == (0.5, 1.0, 0.5)
    assert (sit.before, sit.after, sit.gain) == (0.5, 0.5, 0.0)
    assert (fly.videos, fly.before, fly.gain) == (0, None, None)
    assert not compared.moved
    assert json.loads(json.dumps(compared.to_dict()))["per_class"][0]["gain"] == 0.5
    assert two.gflops == pytest.approx(1.96 * 30)


def test_only_videos_that_both_measured_count() -> None:
    one = Run.model_validate(single(below("/films", FIRST)))
    two = Run.model_validate(single(below("/films", {name: SECOND[name] for name in "ab"})))
    compared = compare(one, two)
    assert (compared.videos, compared.before, compared.after) == (2, 0.5, 1.0)


def test_a_data_set_may_have_moved() -> None:
    one = Run.model_validate(single(below("/films/test", FIRST)))
    two = Run.model_validate(single(below("/mnt/disk/test", SECOND)))
    compared = compare(one, two)
    assert compared.videos == 4
    assert compared.moved


def test_stretches_of_one_film_are_paired_in_order() -> None:
    def run(answers: list[tuple[str, str]]) -> Run:
        listed = [{"video": "/films/a.mp4", "truth": t, "answer": a} for t, a in answers]
        return Run.model_validate(single(FIRST) | {"answers": listed, "videos": 2})

    compared = compare(run([("run", "run"), ("sit", "run")]), run([("run", "run"), ("sit", "sit")]))
    assert (compared.videos, compared.only_before, compared.only_after) == (2, 0, 1)


def several(scores: list[list[float]], labels: list[str]) -> Run:
    truth = [["run"], ["run", "sit"], []]
    answers = [
        {"video": f"/films/{n}.mp4", "truth": t, "scores": s}
        for n, (t, s) in enumerate(zip(truth, scores, strict=True))
    ]
    changes = {"multi_label": True, "map": 0.5, "top1": None, "labels": labels, "answers": answers}
    return Run.model_validate(single(FIRST) | changes)


def test_gains_of_average_precision_whatever_the_order_of_the_labels() -> None:
    one = several([[0.9, 0.2], [0.4, 0.7], [0.6, 0.1]], ["run", "sit"])
    two = several([[0.2, 0.9], [0.1, 0.7], [0.8, 0.6]], ["sit", "run"])
    compared = compare(one, two)
    sit, run = compared.per_class
    assert run.before == pytest.approx((1 + 2 / 3) / 2)
    assert (run.after, sit.before, sit.after) == pytest.approx((1.0, 1.0, 1 / 3))
    assert compared.after - compared.before == pytest.approx((1.0 + 1 / 3) / 2 - (1 + (1 + 2 / 3) / 2) / 2)
    assert compared.p_value is None


def test_what_cannot_be_compared_says_why() -> None:
    one = Run.model_validate(single(below("/films", FIRST)))
    others = {
        "different classes": single(below("/films", FIRST), labels=["run", "sit"]),
        "no video in common": single({f"/films/{n}.mp4": ("run", "run") for n in "xyz"}),
        "shows run in one run and sit": single({"/films/a.mp4": ("sit", "sit")}),
    }
    for why, values in others.items():
        with pytest.raises(ValueError, match=why):
            compare(one, Run.model_validate(values))
    with pytest.raises(ValueError, match="one run has several labels per video"):
        compare(one, several([[0.9, 0.2], [0.4, 0.7], [0.6, 0.1]], ["run", "sit"]))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("", "not JSON"),
        ('{"model": "x3d_s", "answ', "not JSON"),
        ("[]", "valid dictionary"),
        ("{}", "model: Field required"),
        (json.dumps(single(FIRST, answers=[])), "answers: "),
        (json.dumps(single(FIRST, top1=None)), "top1 is missing"),
        (json.dumps(single(FIRST, top1=75)), "top1: "),
        (json.dumps(single(FIRST, labels=["run"])), "'sit', which is not among the labels"),
        (json.dumps(single(FIRST, multi_label=True, map=0.5)), "0 scores for 3 labels"),
    ],
)
def test_a_file_that_is_no_result_says_what_is_wrong(text: str | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="result.json: .*muybridge test --out") as raised:
        read_run(tmp_path)
    assert why in str(raised.value)
    assert "\n" not in str(raised.value)
