from __future__ import annotations

from pathlib import Path

import pytest

from muybridge.data.ava import (
    ActionBox,
    keyframe_key,
    only_actions,
    read_ava,
    read_boxes,
    read_exclusions,
    read_label_map,
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.shared
def test_mmaction2s_ava_examples(shared: Path) -> None:
    folder = shared / "fixtures" / "mmaction2" / "ava_dataset"
    excluded = read_exclusions(folder / "ava_excluded_timestamps_sample.csv")
    assert excluded == {"0f39OWEqJ24,0903", "_-Z6wFjXtGQ,0902"}
    everything = read_boxes(folder / "ava_sample.csv")
    assert [(k.key, len(k.boxes)) for k in everything] == [
        ("0f39OWEqJ24,0902", 1),
        ("0f39OWEqJ24,0903", 1),
        ("_-Z6wFjXtGQ,0902", 1),
    ]
    assert everything[0].boxes == (ActionBox((0.031, 0.162, 0.67, 0.995), (12, 17, 79), (1.0, 1.0, 1.0), 0),)
    assert [k.key for k in read_boxes(folder / "ava_sample.csv", excluded=excluded)] == ["0f39OWEqJ24,0902"]
    names = read_label_map(folder / "action_list.txt")
    assert names == {12: "action1", 17: "action2", 79: "action3", 80: "action3"}
    last = read_boxes(folder / "ava_sample.csv", actions=names)[-1]
    assert last.boxes[0].actions == (12, 80)  # 74 is not in the list


@pytest.mark.shared
def test_predictions_have_scores(shared: Path) -> None:
    folder = shared / "fixtures" / "mmaction2" / "eval_detection"
    first = read_boxes(folder / "pred.csv", scored=True)[0]
    assert first.key == "3reY9zJKhqN,1774"
    assert (first.boxes[0].actions, first.boxes[0].scores, first.boxes[0].person) == ((2,), (0.655,), None)
    sports = read_boxes(shared / "fixtures" / "mmaction2" / "multisports_dataset" / "multisports_sample.csv")
    assert sports[0].key == "aerobic_gymnastics/v_aqMgwPExjD0_c001.mp4,0377"


def test_label_maps_in_both_dresses(tmp_path: Path) -> None:
    text = 'item {\n  name: "bend/bow (at the waist)"\n  id: 1\n}\nitem {\n  name: "watch (e.g., TV)"\n  id: 80\n}\n'
    assert read_label_map(write(tmp_path / "a.pbtxt", text)) == {
        1: "bend/bow (at the waist)",
        80: "watch (e.g., TV)",
    }
    text = 'label {\n  name: "bend/bow (at the waist)"\n  label_id: 1\n  label_type: PERSON_MOVEMENT\n}\n'
    assert read_label_map(write(tmp_path / "b.pbtxt", text)) == {1: "bend/bow (at the waist)"}
    for text, message in (
        (
            'item {\n name: "a"\n id: 1\n}\nitem {\n name: "b"\n id: 1\n}\n',
            r"line 5: number 1 is given twice",
        ),
        ('item {\n name: "a"\n}\n', r"line 1: an item without id"),
        ('item {\n name: "a"\n id: 0\n}\n', r"line 1: class number 0; AVA's numbers begin at 1"),
        ("walk\nrun\n", r"no label map; `item"),
    ):
        with pytest.raises(ValueError, match=message):
            read_label_map(write(tmp_path / "broken.pbtxt", text))


def test_moments_without_anybody_stay(tmp_path: Path) -> None:
    rows = "movie,0902\nmovie,903,0.1,0.1,0.5,0.9,12,4\nmovie,0904,0.1,0.1,0.5,0.9,3\n"
    frames = read_boxes(write(tmp_path / "a.csv", rows))
    assert [(k.key, [b.person for b in k.boxes]) for k in frames] == [
        ("movie,0902", []),
        ("movie,0903", [4]),
        ("movie,0904", [None]),
    ]
    assert [len(k.boxes) for k in only_actions(frames, {12})] == [0, 1, 0]
    assert keyframe_key("movie", 2.0) == "movie,0002"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("movie,0902,0.1,0.1,0.5,12", r"a\.csv, line 2: 6 columns"),
        ("movie,soon,0.1,0.1,0.5,0.9,12,1", r"line 2: the time is 'soon'"),
        ("movie,-3,0.1,0.1,0.5,0.9,12,1", r"line 2: the time is -3"),
        ("movie,0902,10,10,200,300,12,1", r"line 2: the box .* is in pixels"),
        ("movie,0902,0.5,0.1,0.1,0.9,12,1", r"line 2: the box .* is turned round"),
        ("movie,0902,0.1,0.1,0.5,0.9,0,1", r"line 2: action 0; AVA's numbers begin at 1"),
        ("movie,0902,0.1,0.1,0.5,0.9,walk,1", r"line 2: the action is 'walk'"),
    ],
)
def test_broken_boxes(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path / "a.csv", f"movie,0902,0.1,0.1,0.5,0.9,12,1\n{row}\n")
    with pytest.raises(ValueError, match=message):
        read_boxes(path)


def test_a_folder_as_ava_is_published(tmp_path: Path) -> None:
    write(tmp_path / "videos" / "-5KQ66BBWC4.mkv", "")
    notes = tmp_path / "annotations"
    row = "{},{},0.077,0.151,0.283,0.811,{},1\n"
    rows = [
        ("-5KQ66BBWC4", "0902", 80),
        ("-5KQ66BBWC4", "0902", 16),
        ("-5KQ66BBWC4", "0903", 80),
        ("gone", "0902", 80),
    ]
    write(notes / "ava_val_v2.2.csv", "".join(row.format(*r) for r in rows))
    write(notes / "ava_val_excluded_timestamps_v2.2.csv", "-5KQ66BBWC4,0903\n")
    write(notes / "ava_train_v2.2.csv", row.format("x", "0902", 1))
    write(notes / "ava_action_list_v2.2.pbtxt", 'label {\n  name: "a"\n  label_id: 16\n}\n')
    name = "ava_action_list_v2.2_for_activitynet_2019.pbtxt"
    write(notes / name, 'item {\n  name: "watch (a person)"\n  id: 80\n}\n')
    found = read_ava(tmp_path, "val")
    assert [(k.key, [b.actions for b in k.boxes]) for k in found.keyframes] == [("-5KQ66BBWC4,0902", [(80,)])]
    assert found.videos["-5KQ66BBWC4"].name == "-5KQ66BBWC4.mkv"
    assert found.actions == {80: "watch (a person)"}
    assert found.notes == (
        "1 of 2 films are not there; left out",
        "1 rows are of classes that don't count (not among 1); left out",
        "1 moments are excluded by a list",
    )
    with pytest.raises(ValueError, match=r"wanted one CSV of boxes with 'test' in its name"):
        read_ava(tmp_path, "test")
