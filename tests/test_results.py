"""Recognition: reading, ranking and saving an answer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from muybridge.results import Recognition
from muybridge.types import Score, Window


@pytest.fixture
def answer() -> Recognition:
    return Recognition(
        name="clip.mp4",
        source=Path("clip.mp4"),
        labels=("jump", "走路", 'say "hi", wave'),
        scores=(0.2, 0.7, 0.1),
        windows=(
            Window(start_s=0.0, end_s=2.0, scores=(0.1, 0.8, 0.1)),
            Window(start_s=1.0, end_s=3.0, scores=(0.6, 0.3, 0.1)),
        ),
        duration_s=3.0,
        views=2,
        model="tiny3d",
    )


def test_top_and_above_rank_best_first(answer: Recognition) -> None:
    assert answer.top(2) == [Score("走路", 0.7), Score("jump", 0.2)]
    assert answer.above(0.15) == [Score("走路", 0.7), Score("jump", 0.2)]
    assert answer.above(0.9) == []
    assert [best[0].label for _, _, best in answer.timeline()] == ["走路", "jump"]


def test_json_and_csv_say_the_same(answer: Recognition) -> None:
    told = json.loads(answer.to_json(k=1))
    assert told["top"] == [{"label": "走路", "score": 0.7}]
    assert [w["top"][0]["label"] for w in told["windows"]] == ["走路", "jump"]
    rows = list(csv.DictReader(answer.to_csv(k=3).splitlines()))
    assert len(rows) == 9  # the whole video and two windows, three labels each
    assert rows[2]["label"] == 'say "hi", wave'
    assert "\n" not in answer.to_json()


def test_a_person_can_read_the_repr(answer: Recognition) -> None:
    assert repr(answer) == (
        '<Recognition of clip.mp4 (3.0 s, 2 windows): 走路 70%, jump 20%, say "hi", wave 10%>'
    )


def test_save_tells_by_suffix_and_leaves_nothing_half_done(answer: Recognition, tmp_path: Path) -> None:
    assert json.loads(answer.save(tmp_path / "a.json").read_text(encoding="utf-8"))["model"] == "tiny3d"
    assert answer.save(tmp_path / "a.csv").read_text(encoding="utf-8") == answer.to_csv()
    with pytest.raises(ValueError, match=r"\.mp4, \.html, \.png, \.json or \.csv"):
        answer.save(tmp_path / "a.docx")
    with pytest.raises(ValueError, match="does not exist"):
        answer.save(tmp_path / "absent" / "a.json")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "a.json"]


def test_a_timeline_is_a_picture_and_needs_windows(answer: Recognition, tmp_path: Path) -> None:
    assert answer.save(tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="--window"):
        replace(answer, windows=()).save(tmp_path / "none.png")
    assert [p.name for p in tmp_path.iterdir()] == ["t.png"]


def test_the_source_is_never_overwritten(answer: Recognition) -> None:
    with pytest.raises(ValueError, match="the source video itself"):
        answer.save("clip.mp4")
