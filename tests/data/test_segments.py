from __future__ import annotations

import json
from pathlib import Path

import pytest

from muybridge.data.segments import Segment, read_activitynet, read_thumos, read_ucf_crime_times


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.shared
def test_mmaction2s_form_of_activitynet(shared: Path, tmp_path: Path) -> None:
    fixtures = shared / "fixtures" / "mmaction2"
    for name in ("v_test1.mp4", "v_test2.mp4", "v_bYUmtLBL7W4.mp4", "hDPLy21Yyuk.mp4"):
        write(tmp_path / name, "")
    found = read_activitynet(fixtures / "annotations" / "action_test_anno.json", tmp_path)
    assert [(v.path.name, v.duration_s, v.segments) for v in found.videos] == [
        ("v_test1.mp4", 1.0, (Segment(0.3, 0.6, "Rock climbing"),)),
        ("v_test2.mp4", 2.0, (Segment(1.0, 2.0, "Drinking beer"),)),
    ]
    found = read_activitynet(fixtures / "eval_localization" / "gt.json", tmp_path)
    assert found.labels == ("Cleaning shoes", "Wakeboarding")
    assert [(v.split, v.duration_s, len(v.segments)) for v in found.videos] == [
        ("val", 224.49, 3),
        ("val", 76.23, 1),
    ]


@pytest.mark.shared
def test_a_whole_json_of_activitynet(shared: Path, tmp_path: Path) -> None:
    path = shared / "fixtures" / "tal_gt.json"
    database = json.loads(path.read_text())["database"]
    for name in database:
        write(tmp_path / f"{name}.mp4", "")
    found = read_activitynet(path, tmp_path)
    assert len(found.videos) == len(database)
    assert not found.notes
    assert sum(len(v.segments) for v in found.videos) == sum(len(e["annotations"]) for e in database.values())


def test_what_has_no_length_or_is_there_twice_is_counted(tmp_path: Path) -> None:
    write(tmp_path / "videos" / "v_a.mp4", "")
    times = [[1, 2], [2, 2], [1, 2], [70, 80]]
    annotations = [{"segment": t, "label": "Surfing"} for t in times]
    path = write(
        tmp_path / "gt.json", json.dumps({"database": {"a": {"duration": 60, "annotations": annotations}}})
    )
    found = read_activitynet(path)
    assert found.videos[0].segments == (Segment(1, 2, "Surfing"),)
    assert found.notes == (
        "1 segments have no length; left out",
        "1 segments begin after their video's end; left out",
        "1 segments are written twice; taken once",
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"annotations": [{"segment": [3, 2], "label": "a"}]}, r"video 'v', annotation 1: from 3 s to 2 s"),
        ({"annotations": [{"segment": [-3, 2], "label": "a"}]}, r"annotation 1: begins at -3 s"),
        ({"annotations": [{"segment": [3], "label": "a"}]}, r'annotation 1: no "segment": \[start, end\]'),
        ({"annotations": [{"segment": [1, 2]}]}, r'annotation 1: no "label"'),
        ({"annotations": [{"segment": [1, None], "label": "a"}]}, r"a time is None; a number was wanted"),
        ({"subset": "dev-2", "annotations": []}, r"no subset 'dev-2'"),
        ({"duration": "long", "annotations": []}, r"duration is 'long'"),
        ({"annotations": 3}, r"annotations is no list"),
        (3, r"'3' where an object with `annotations` was wanted"),
    ],
)
def test_broken_activitynet(tmp_path: Path, entry: object, message: str) -> None:
    write(tmp_path / "v.mp4", "")
    with pytest.raises(ValueError, match=message):
        read_activitynet(write(tmp_path / "gt.json", json.dumps({"database": {"v": entry}})))


def test_none_of_the_videos_is_there(tmp_path: Path) -> None:
    base = {"v": {"annotations": [{"segment": [1, 2], "label": "a"}]}}
    with pytest.raises(ValueError, match=r"none of its 1 videos is below .*first 'v'; .*--videos FOLDER"):
        read_activitynet(write(tmp_path / "gt.json", json.dumps({"database": base})))


def test_thumos_keeps_the_order_of_its_class_list(tmp_path: Path) -> None:
    write(tmp_path / "video_test_0000004.mp4", "")
    write(tmp_path / "annotations" / "detclasslist.txt", "7 BaseballPitch\n26 Diving\n12 Billiards\n")
    write(
        tmp_path / "annotations" / "Diving_test.txt",
        "video_test_0000004  0.2 1.1\nvideo_test_0000004  0.2 1.1\n",
    )
    found = read_thumos(tmp_path)
    assert found.labels == ("BaseballPitch", "Billiards", "Diving")
    assert found.videos[0].duration_s is None
    assert found.videos[0].split == "test"
    assert found.videos[0].segments == (Segment(0.2, 1.1, "Diving"),)
    assert found.notes == ("1 segments are written twice; taken once",)
    for line, message in (
        ("video_test_0000004  0.2", r"Diving_test\.txt, line 1: .*`video start end` was wanted"),
        ("video_test_0000004  0.2 x", r"line 1: a time is 'x'"),
        ("video_test_0000004  3.0 1.1", r"line 1: from 3 s to 1\.1 s"),
    ):
        write(tmp_path / "annotations" / "Diving_test.txt", line + "\n")
        with pytest.raises(ValueError, match=message):
            read_thumos(tmp_path)


def test_ucf_crime_counts_frames_from_one(tmp_path: Path) -> None:
    write(tmp_path / "Abuse" / "Abuse028_x264.mp4", "")
    path = write(tmp_path / "Temporal.txt", "Abuse028_x264.mp4  Abuse  166  240  301  330  \n")
    assert read_ucf_crime_times(path).videos[0].segments == (
        Segment(5.5, 8.0, "Abuse"),
        Segment(10.0, 11.0, "Abuse"),
    )
    with pytest.raises(ValueError, match=r"line 1: .*`video class start end start end` was wanted"):
        read_ucf_crime_times(write(path, "Abuse028_x264.mp4  Abuse  165\n"))
