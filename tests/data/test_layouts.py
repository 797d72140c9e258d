from __future__ import annotations

from pathlib import Path

import pytest

from muybridge.data.groups import training_samples
from muybridge.data.layouts import find_videos, is_frame_folder, read_samples
from muybridge.data.samples import Sample, Samples, natural, select


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def names(samples: tuple[Sample, ...], folder: Path) -> list[tuple[str, str]]:
    return [(s.path.relative_to(folder).as_posix(), s.label) for s in samples]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_folder_per_class_is_read_in_natural_order(tmp_path: Path) -> None:
    touch(tmp_path, "run/b10.mp4", "run/b2.MP4", "class10/x.avi", "class2/deep/er/y.webm", "run/notes.txt")
    samples = read_samples(tmp_path)
    assert names(samples.train, tmp_path) == [
        ("class2/deep/er/y.webm", "class2"),
        ("class10/x.avi", "class10"),
        ("run/b2.MP4", "run"),
        ("run/b10.mp4", "run"),
    ]
    assert samples.labels == ("class2", "class10", "run")
    assert samples.val == samples.test == ()


def test_hidden_files_and_folders_are_not_samples(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4", "a/._1.mp4", "a/.cache/2.mp4", ".git/3.mp4", "b/4.mp4")
    assert names(read_samples(tmp_path).train, tmp_path) == [("a/1.mp4", "a"), ("b/4.mp4", "b")]


def test_folders_of_numbered_frames_are_samples(tmp_path: Path) -> None:
    touch(tmp_path, "a/v1/img_00001.jpg", "a/v1/img_00002.jpg", "a/v2/1.png", "b/v.mp4", "b/poster.jpg")
    assert names(read_samples(tmp_path).train, tmp_path) == [("a/v1", "a"), ("a/v2", "a"), ("b/v.mp4", "b")]


@pytest.mark.parametrize("val", ["val", "valid", "Validation"])
def test_split_folders_are_kept(tmp_path: Path, val: str) -> None:
    touch(tmp_path, "train/a/1.mp4", "train/b/2.mp4", f"{val}/a/3.mp4", "testing/b/4.mp4")
    samples = read_samples(tmp_path)
    assert {name: names(part, tmp_path) for name, part in samples.splits.items()} == {
        "train": [("train/a/1.mp4", "a"), ("train/b/2.mp4", "b")],
        "val": [(f"{val}/a/3.mp4", "a")],
        "test": [("testing/b/4.mp4", "b")],
    }
    assert samples.held_out()[0] == "test"


def test_a_class_may_be_called_test(tmp_path: Path) -> None:
    touch(tmp_path, "test/1.mp4", "rest/2.mp4")
    samples = read_samples(tmp_path)
    assert samples.labels == ("rest", "test")
    assert samples.held_out() == ("all", samples.train)


def test_a_folder_that_links_to_its_parent_ends(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.mp4")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a", target_is_directory=True)
    assert find_videos(tmp_path / "a") == [tmp_path / "a/1.mp4"]


@pytest.mark.parametrize(
    "text",
    [
        "a/1.mp4 run\nb.mp4 jump\n",
        "a/1.mp4\trun\nb.mp4\tjump\n",
        "a/1.mp4,run\nb.mp4,jump\n",
        "a/1.mp4;run\nb.mp4;jump\n",
        "\ufeffpath,label\na/1.mp4,run\n\n# a remark\nb.mp4,jump\n",
        "label,video\nrun,a/1.mp4\njump,b.mp4\n",
        'path label\r\n"a/1.mp4" run\r\nb.mp4   jump\r\n',
    ],
)
def test_lists_in_every_dress_say_the_same(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "a/1.mp4", "b.mp4")
    samples = read_samples(write(tmp_path / "list.csv", text))
    assert names(samples.train, tmp_path) == [("a/1.mp4", "run"), ("b.mp4", "jump")]


def test_labels_with_spaces_and_numbers_stay_as_written(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "2.mp4", "3 4.mp4")
    rows = 'path,label\n1.mp4,"high jump, indoors"\n2.mp4,10\n3 4.mp4,9\n'
    assert read_samples(write(tmp_path / "l.csv", rows)).labels == ("9", "10", "high jump, indoors")


def test_the_third_column_is_the_group(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "v_part2.mp4")
    samples = read_samples(write(tmp_path / "l.txt", "1.mp4 a anna\nv_part2.mp4 a\n"))
    assert [s.group for s in samples.train] == ["anna", "v"]


def test_a_third_column_of_split_names_is_the_split(tmp_path: Path) -> None:
    touch(tmp_path, "1.mp4", "2.mp4", "3.mp4")
    samples = read_samples(write(tmp_path / "l.csv", "1.mp4,a,train\n2.mp4,b,train\n3.mp4,a,val\n"))
    assert (len(samples.train), len(samples.val)) == (2, 1)


def test_a_list_can_cut_stretches(tmp_path: Path) -> None:
    touch(tmp_path, "day.mp4")
    rows = "path,label,start_s,end_s\nday.mp4,walk,0,2.5\nday.mp4,sit,2.5,\n"
    walk, sit = read_samples(write(tmp_path / "l.csv", rows)).train
    assert (walk.start_s, walk.end_s, sit.start_s, sit.end_s) == (0.0, 2.5, 2.5, None)
    assert walk.group == sit.group


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1.mp4 a\n1.mp4 high jump today\n", r"line 2: 4 columns.*quotes"),
        ("1.mp4 a\njust_a_path.mp4\n", r"line 2: 1 columns"),
        ("path,label,split\n1.mp4,a,train\n1.mp4,b,tset\n", r"line 3: no split 'tset'"),
        ("path,label\n1.mp4,\n", r"line 2: no label"),
        ("path,label,start_s,end_s\n1.mp4,a,3,2\n", r"line 2: from 3 s to 2 s"),
        ("path,label,start_s\n1.mp4,a,soon\n", r"line 2: start_s is 'soon'"),
        ("1.mp4 a\nx.mp4 a\ny.mp4 b\n", r"2 of 3 files are missing, first .*x\.mp4"),
        ("", r"the list is empty"),
    ],
)
def test_bad_lists_are_refused_with_the_line(tmp_path: Path, text: str, message: str) -> None:
    touch(tmp_path, "1.mp4")
    with pytest.raises(ValueError, match=message) as caught:
        read_samples(write(tmp_path / "l.csv", text))
    assert "\n" not in str(caught.value)


def test_what_is_no_data_set_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "one.mp4", "loose/readme.md", "flat/1.mp4")
    for path, message in (
        (tmp_path / "absent", "no such folder"),
        (tmp_path / "one.mp4", "one video is not a data set"),
        (tmp_path / "loose", r"no videos in it; looked for \.mp4"),
        (tmp_path / "flat", "folder per class"),
    ):
        with pytest.raises(ValueError, match=message):
            read_samples(path)


def test_training_needs_two_classes_and_the_held_out_ones_among_them(tmp_path: Path) -> None:
    one = Samples((Sample(tmp_path, ("a",), "1"), Sample(tmp_path, ("a",), "2")))
    with pytest.raises(ValueError, match="only one class, 'a'"):
        training_samples(one)
    both = (Sample(tmp_path, ("a",), "1"), Sample(tmp_path, ("b",), "2"))
    with pytest.raises(ValueError, match=r"class 'c' is in val \(1 videos\) but not in train"):
        training_samples(Samples(both, (Sample(tmp_path, ("c",), "3"),)))
    with pytest.raises(ValueError, match="no training videos"):
        training_samples(Samples((), both))


def test_named_groups_are_held_out(tmp_path: Path) -> None:
    people = [
        Sample(tmp_path / f"{k}{p}{i}", (k,), p) for k in "ab" for p in ("anna", "ben", "cleo") for i in "12"
    ]
    split = training_samples(Samples(tuple(people)), val_groups=("ben",))
    assert {s.group for s in split.val} == {"ben"}
    assert {s.group for s in split.train} == {"anna", "cleo"}
    with pytest.raises(ValueError, match=r"no group 'dora'; there are anna, ben, cleo"):
        training_samples(Samples(tuple(people)), val_groups=("dora",))


def test_what_is_measured_can_be_chosen(tmp_path: Path) -> None:
    anna, ben = Sample(tmp_path / "1", ("a",), "anna"), Sample(tmp_path / "2", ("b",), "ben")
    split = Samples((anna,), val=(ben,))
    assert select(split, None) == ("val", (ben,))
    assert select(split, "train") == ("train", (anna,))
    assert select(split, "all") == ("all", (anna, ben))
    assert select(split, None, ["anna"]) == ("all of anna", (anna,))
    with pytest.raises(ValueError, match="no split 'test'; there are train, val, all"):
        select(split, "test")
    with pytest.raises(ValueError, match="no group 'cleo'; there are anna, ben"):
        select(split, None, ["cleo"])


def test_a_folder_of_numbered_images_is_a_video_itself(tmp_path: Path) -> None:
    frames, films = tmp_path / "frames", tmp_path / "films"
    for folder, names in [(frames, ["img_00001.jpg", "img_00002.jpg"]), (films, ["a.mp4", "poster1.jpg"])]:
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    assert is_frame_folder(frames)
    assert not is_frame_folder(films)
    assert not is_frame_folder(tmp_path)


def test_natural_order_counts() -> None:
    assert sorted(["v10", "V9", "v1", "10", "9", "b"], key=natural) == ["9", "10", "b", "v1", "V9", "v10"]


@pytest.mark.shared
def test_basketball_has_five_classes(shared: Path) -> None:
    samples = read_samples(shared / "clips" / "basketball5")
    assert len(samples.train) == 283
    assert samples.labels == ("defense", "dribbling", "nothing", "passing", "shooting")
    split = training_samples(samples, val_fraction=0.2, seed=3)
    assert {s.label for s in split.val} == set(samples.labels)
    assert len(split.val) == pytest.approx(0.2 * 283, abs=3)
