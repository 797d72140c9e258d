"""Data sets as they are published: exactly formatted lists, with empty files in the place of videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from muybridge.data.groups import training_samples
from muybridge.data.layouts import read_samples
from muybridge.data.samples import Sample, Samples


def lay(folder: Path, videos: str) -> Path:
    """Empty files in the place of videos, one per line."""
    for name in videos.split("\n"):
        if name := name.strip():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(b"")
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def seen(samples: tuple[Sample, ...], folder: Path) -> list[tuple[str, str]]:
    return [(s.path.relative_to(folder).as_posix(), s.label) for s in samples]


def refused(data: Path, message: str, **options: object) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_samples(data, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


# --- MMAction2 ---


@pytest.mark.shared
def test_mmaction2s_own_examples(shared: Path, tmp_path: Path) -> None:
    lists = shared / "fixtures" / "mmaction2" / "annotations"
    lay(tmp_path, "test.mp4\n" + "\n".join(f"imgs/img_{n:05}.jpg\nimgs/x_{n:05}.jpg" for n in range(1, 8)))

    def read(name: str) -> Samples:
        return read_samples(write(tmp_path / name, (lists / name).read_text()))

    one = read("video_test_list.txt")
    assert seen(one.train, tmp_path) == [("test.mp4", "0")] * 2
    assert "video list" in one.layout
    several = read("video_test_list_multi_label.txt")
    assert several.multi_label
    assert [s.labels for s in several.train] == [("0", "3"), ("0", "2", "4")]
    assert several.labels == ("0", "1", "2", "3", "4")
    frames = read("rawframe_test_list.txt")
    assert seen(frames.train, tmp_path) == [("imgs", "127")] * 2
    assert len(frames.labels) == 128
    assert [s.labels for s in read("rawframe_test_list_multi_label.txt").train] == [("1",), ("3", "5")]
    offset = read("rawframe_test_list_with_offset.txt")
    # Frames 2, 3, 4, 5 and 6 of the folder, counted from 0, at the 30 per second that folders are played at.
    assert [(s.start_s, s.end_s, s.label) for s in offset.train] == [(2 / 30, 7 / 30, "127")] * 2
    assert "offset" in offset.layout
    refused(lists / "sample.pkl", r"sample\.pkl: a pickle .*never opened.*one `path label` per line")
    refused(lists / "hvu_video_test_anno.json", "JSON of no layout that is known")


def test_a_label_map_beside_the_list_names_its_numbers(tmp_path: Path) -> None:
    lay(tmp_path, "a.mp4\nb.mp4")
    write(tmp_path / "label_map_k400.txt", "abseiling\nair drumming\nanswering questions\n")
    list_ = write(tmp_path / "kinetics_train_list.txt", "a.mp4 1\nb.mp4 0\n")
    samples = read_samples(list_)
    assert seen(samples.train, tmp_path) == [("a.mp4", "air drumming"), ("b.mp4", "abseiling")]
    assert samples.labels == ("abseiling", "air drumming", "answering questions")
    write(list_, "a.mp4 1\nb.mp4 3\n")
    refused(list_, r"kinetics_train_list\.txt, line 2: class 3, but label_map_k400\.txt has 3 \(0 to 2\)")


def test_four_columns_are_told_apart_by_the_frames_on_the_disk(tmp_path: Path) -> None:
    lay(tmp_path, "\n".join(f"v/img_{n:05}.jpg\nv/flow_x_{n:05}.jpg" for n in range(1, 9)))
    both = read_samples(write(tmp_path / "multi.txt", "v 8 1 2\n"))
    assert [s.labels for s in both.train] == [("1", "2")]
    part = read_samples(write(tmp_path / "offset.txt", "v 1 4 2\n"))
    assert [(s.labels, s.start_s) for s in part.train] == [(("2",), 1 / 30)]
    refused(write(tmp_path / "wrong.txt", "v 6 5 2\n"), r"line 1: .* has 8 frames; neither")


def test_a_train_list_brings_the_val_list_beside_it(tmp_path: Path) -> None:
    lay(tmp_path, "a.mp4\nb.mp4\nc.mp4")
    train = write(tmp_path / "mini_train_list_videos.txt", "a.mp4 0\nb.mp4 1\n")
    val = write(tmp_path / "mini_val_list_videos.txt", "c.mp4 1\n")
    samples = read_samples(train)
    assert (len(samples.train), len(samples.val)) == (2, 1)
    assert "mini_val_list_videos.txt" in samples.layout
    assert read_samples(val).splits.keys() == {"train"}


def test_columns_of_several_labels(tmp_path: Path) -> None:
    lay(tmp_path, "a.mp4\nb.mp4")
    rows = "path,labels\na.mp4,walk|wave\nb.mp4,\n"
    samples = read_samples(write(tmp_path / "l.csv", rows))
    assert samples.multi_label
    assert [s.labels for s in samples.train] == [("walk", "wave"), ()]


# --- Kinetics ---

KINETICS = """\
label,youtube_id,time_start,time_end,split
testifying,---QUuC4vJs,84,94,train
"petting animal (not cat)",--3ouPhoy2A,20,30,train
testifying,--4-0ihtnBU,58,68,train
"""


@pytest.mark.parametrize(
    "places",
    [
        (
            "testifying/---QUuC4vJs_000084_000094.mp4",
            "petting animal (not cat)/--3ouPhoy2A_000020_000030.mp4",
        ),
        ("train/---QUuC4vJs_000084_000094.mp4", "train/--3ouPhoy2A_000020_000030.mkv"),
        ("train/testifying/---QUuC4vJs.mp4", "train/petting_animal_(not_cat)/--3ouPhoy2A_000020_000030.mp4"),
        ("---QUuC4vJs.webm", "--3ouPhoy2A.mp4"),
    ],
)
def test_kinetics_in_whatever_folders(tmp_path: Path, places: tuple[str, str]) -> None:
    lay(tmp_path, "\n".join(places))
    write(tmp_path / "train.csv", KINETICS)
    for data in (tmp_path, tmp_path / "train.csv"):
        samples = read_samples(data)
        assert seen(samples.train, tmp_path) == [
            (places[0], "testifying"),
            (places[1], "petting animal (not cat)"),
        ]
        assert samples.layout == "Kinetics CSV"
        assert samples.labels == ("petting animal (not cat)", "testifying")
        assert samples.notes[0] == "1 of 3 videos are not there; left out"
        assert {s.group for s in samples.train} == {"---QUuC4vJs", "--3ouPhoy2A"}
        assert all(s.start_s is None for s in samples.train)


def test_kinetics_validation_and_its_unlabelled_test_set(tmp_path: Path) -> None:
    lay(tmp_path, "videos/---QUuC4vJs_000084_000094.mp4\nvideos/-1q7jA3DXQM_000005_000015.mp4")
    lists = tmp_path / "kinetics700" / "annotations"
    write(lists / "train.csv", KINETICS)
    write(
        lists / "validate.csv",
        "label,youtube_id,time_start,time_end,split\nair drumming,-1q7jA3DXQM,5,15,validate\n",
    )
    write(lists / "test.csv", "youtube_id,time_start,time_end,split\n--6bJUbfpnQ,17,27,test\n")
    samples = read_samples(tmp_path / "kinetics700", videos=tmp_path / "videos")
    assert {name: len(part) for name, part in samples.splits.items()} == {"train": 1, "val": 1}
    assert samples.notes == ("2 of 4 videos are not there; left out", "1 rows have no label; left out")
    refused(
        tmp_path / "kinetics700",
        r"train\.csv, line 2: no video '---QUuC4vJs_000084_000094' below .*--videos FOLDER",
    )


def test_kinetics_lists_go_before_the_folders_that_they_describe(tmp_path: Path) -> None:
    for split, label in (("train", "sit_down"), ("val", "sit_down"), ("test", "walk")):
        lay(tmp_path, f"{split}/{label}/s7{split}00001_000000_000003.mp4\n{split}/{label}/unlisted.mp4")
        head = "label,youtube_id,time_start,time_end,split"
        write(tmp_path / f"{split}.csv", f"{head}\n{label},s7{split}00001,0,3,{split}\n")
    samples = read_samples(tmp_path)
    assert samples.layout == "Kinetics CSV"
    assert {name: seen(part, tmp_path) for name, part in samples.splits.items()} == {
        "train": [("train/sit_down/s7train00001_000000_000003.mp4", "sit_down")],
        "val": [("val/sit_down/s7val00001_000000_000003.mp4", "sit_down")],
        "test": [("test/walk/s7test00001_000000_000003.mp4", "walk")],
    }
    assert read_samples(tmp_path / "train.csv").splits == samples.splits
    assert read_samples(tmp_path / "val.csv").splits.keys() == {"val"}


def test_several_clips_of_one_whole_video_are_cut_by_the_times(tmp_path: Path) -> None:
    lay(tmp_path, "abcdefghijk.mp4")
    rows = "label,youtube_id,time_start,time_end,split\nrun,abcdefghijk,5,15,train\njump,abcdefghijk,40,50,train\n"
    samples = read_samples(write(tmp_path / "train.csv", rows))
    assert [(s.label, s.start_s, s.end_s) for s in samples.train] == [("run", 5, 15), ("jump", 40, 50)]
    assert len({s.group for s in samples.train}) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("testifying,x,94,84,train", r"train\.csv, line 2: from 94 s to 84 s"),
        ("testifying,x,-4,84,train", r"line 2: begins at -4 s"),
        ("testifying,x,soon,84,train", r"line 2: time_start is 'soon'"),
        ("testifying,x,1,2", r"line 2: 4 columns, the header has 5"),
        ("testifying,x,1,2,dev2", r"line 2: no split 'dev2'"),
        ('"testifying,x,1,2,train', r"line 2: broken CSV .*quotes"),
        ("", r"the list is empty"),
    ],
)
def test_broken_kinetics(tmp_path: Path, row: str, message: str) -> None:
    refused(write(tmp_path / "train.csv", f"label,youtube_id,time_start,time_end,split\n{row}\n"), message)


# --- UCF101 and HMDB51 ---


@pytest.fixture
def ucf101(tmp_path: Path) -> Path:
    lay(
        tmp_path,
        """UCF-101/ApplyLipstick/v_ApplyLipstick_g08_c01.avi
        UCF-101/ApplyLipstick/v_ApplyLipstick_g01_c02.avi
        UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi
        UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi""",
    )
    lists = tmp_path / "ucfTrainTestlist"
    # The class list is not alphabetical, nor does it end its lines as others do.
    write(lists / "classInd.txt", "1 ApplyLipstick\r\n2 ApplyEyeMakeup\r\n")
    train = "ApplyLipstick/v_ApplyLipstick_g08_c01.avi 1\nApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 2\n"
    test = "ApplyLipstick/v_ApplyLipstick_g01_c02.avi\nApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi\n"
    write(lists / "trainlist01.txt", train)
    write(lists / "testlist01.txt", test)
    write(
        lists / "trainlist02.txt", test.replace("02.avi", "02.avi 1").replace("g01_c01.avi", "g01_c01.avi 2")
    )
    write(lists / "testlist02.txt", train.replace(" 1", "").replace(" 2", ""))
    return tmp_path


def test_ucf101(ucf101: Path) -> None:
    lists = ucf101 / "ucfTrainTestlist"
    for data, fold, name in (
        (ucf101, None, "UCF101, split 1"),
        (lists, None, "UCF101, split 1"),
        (lists / "trainlist01.txt", None, "UCF101, split 1"),
        (ucf101, 2, "UCF101, split 2"),
        (lists / "trainlist02.txt", None, "UCF101, split 2"),
    ):
        samples = read_samples(data, fold=fold)
        assert samples.layout == name
        assert samples.labels == ("ApplyLipstick", "ApplyEyeMakeup")
        train, test = ("g08", "g01") if name.endswith("1") else ("g01", "g08")
        assert all(train in s.path.name for s in samples.train)
        assert all(test in s.path.name for s in samples.test)
        assert samples.train[0].group == f"v_ApplyLipstick_{train}"
        assert not samples.val
    assert read_samples(lists / "testlist01.txt").splits.keys() == {"test"}


def test_broken_ucf101(ucf101: Path) -> None:
    lists = ucf101 / "ucfTrainTestlist"
    refused(
        ucf101,
        r"trainlist03\.txt: no such list; there are .*trainlist02\.txt; choose by --split-number",
        fold=3,
    )
    refused(lists / "trainlist02.txt", "split 2, and --split-number says 1", fold=1)
    train = lists / "trainlist01.txt"
    good = train.read_text()
    for line, message in (
        (
            "ApplyLipstick/v_ApplyLipstick_g09_c01.avi 1",
            r"list01\.txt, line 3: no video .*1 of 5 files are missing",
        ),
        ("Archery/v_Archery_g08_c01.avi 3", r"line 3: no class 'Archery' in classInd\.txt"),
        ("ApplyLipstick/v_ApplyLipstick_g08_c01.avi 2", r"line 3: .* as class 2, which is 'ApplyEyeMakeup'"),
        ("ApplyLipstick/v_ApplyLipstick_g08_c01.avi 7", r"line 3: class 7; classInd\.txt has 1 to 2"),
        ("v_ApplyLipstick_g08_c01.avi 1", r"line 3: .*`Class/video\.avi` was wanted"),
    ):
        write(train, good + line + "\n")
        refused(ucf101, message)
    write(lists / "classInd.txt", "1 ApplyLipstick\n3 ApplyEyeMakeup\n")
    refused(ucf101, r"classInd\.txt: 2 classes, but no class 2; numbers must run from 1 to 2")
    write(lists / "classInd.txt", "1 ApplyLipstick\n1 ApplyEyeMakeup\n")
    refused(ucf101, r"classInd\.txt, line 2: class 1 is 'ApplyLipstick' already")


def test_hmdb51_with_its_names(tmp_path: Path) -> None:
    # Real names of HMDB51: some begin with `#`, others hold brackets, `;` and `&`.
    names = [
        "#20_Rhythm_clap_u_nm_np1_fr_goo_0.avi",
        "A&B;x_(2)_clap_u_cm_np1_fr_med_1.avi",
        "unused_clap_0.avi",
    ]
    lay(
        tmp_path,
        "\n".join(f"videos/clap/{name}" for name in names) + "\nvideos/walk/w1.avi\nvideos/walk/w2.avi",
    )
    lists = tmp_path / "testTrainMulti_7030_splits"
    write(lists / "clap_test_split1.txt", f"{names[0]} 1 \n{names[1]} 2 \n{names[2]} 0 \n")
    write(lists / "walk_test_split1.txt", "w1.avi 2 \nw2.avi 1 \n")
    write(lists / "clap_test_split2.txt", f"{names[2]} 1 \n")
    samples = read_samples(tmp_path)
    assert samples.layout == "HMDB51, split 1"
    assert seen(samples.train, tmp_path / "videos") == [(f"clap/{names[0]}", "clap"), ("walk/w2.avi", "walk")]
    assert seen(samples.test, tmp_path / "videos") == [(f"clap/{names[1]}", "clap"), ("walk/w1.avi", "walk")]
    assert seen(read_samples(lists / "clap_test_split2.txt").train, tmp_path / "videos") == [
        (f"clap/{names[2]}", "clap")
    ]
    refused(tmp_path, "no split 3; there are 1, 2", fold=3)
    write(lists / "walk_test_split1.txt", "w1.avi 2\nw2.avi 3\n")
    refused(tmp_path, r"walk_test_split1\.txt, line 2: 'w2\.avi 3'; `video\.avi 1` was wanted")


# --- UCF-Crime ---


def test_ucf_crime_for_recognition(tmp_path: Path) -> None:
    lay(
        tmp_path,
        "Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4\nNormal_Videos_event/Normal_Videos_015_x264.mp4",
    )
    lists = tmp_path / "Action_Regnition_splits"
    write(lists / "ClassIDs.txt", "Abuse 1\nNormal_Videos_event 2\n")
    write(lists / "train_002.txt", "Abuse/Abuse001_x264.mp4 \n")
    write(lists / "test_002.txt", "Normal_Videos_event/Normal_Videos_015_x264.mp4 \n")
    samples = read_samples(tmp_path, fold=2)
    assert samples.layout == "UCF-Crime, recognition, split 2"
    assert seen(samples.train, tmp_path) == [("Anomaly-Videos-Part-1/Abuse/Abuse001_x264.mp4", "Abuse")]
    assert samples.test[0].label == "Normal_Videos_event"
    refused(tmp_path, r"train_001\.txt: no such list; there are test_002\.txt, train_002\.txt")
    write(lists / "train_002.txt", "Arson/Arson001_x264.mp4 \n")
    refused(tmp_path, r"train_002\.txt, line 1: no class 'Arson' in ClassIDs\.txt", fold=2)


def test_ucf_crime_for_anomalies(tmp_path: Path) -> None:
    lay(
        tmp_path,
        """Abuse/Abuse001_x264.mp4
        Training_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4
        Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4""",
    )
    train = "Abuse/Abuse001_x264.mp4\nTraining_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4\n"
    write(tmp_path / "Anomaly_Train.txt", train)
    write(tmp_path / "Anomaly_Test.txt", "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4\n")
    times = (
        "Abuse001_x264.mp4  Abuse  166  240  -1  -1  \nNormal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  \n"
    )
    write(tmp_path / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", times)
    samples = read_samples(tmp_path)
    assert samples.labels == ("Abuse", "Normal")
    assert [s.label for s in samples.train] == ["Abuse", "Normal"]
    assert [s.label for s in samples.test] == ["Normal"]
    cut = read_samples(tmp_path / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt")
    # Frames 166 to 240, counted from 1, at 30 per second.
    assert [(s.label, s.start_s, s.end_s) for s in cut.test] == [("Abuse", 5.5, 8.0)]
    write(tmp_path / "Anomaly_Train.txt", train + "Abuse002_x264.mp4\n")
    refused(tmp_path, r"Anomaly_Train\.txt, line 3: .*`Class/video\.mp4` was wanted")


# --- Something-Something ---


def test_something_something_v2(tmp_path: Path) -> None:
    lay(tmp_path, "20bn-something-something-v2/78687.webm\n20bn-something-something-v2/74225.webm")
    lists = tmp_path / "labels"
    numbers = {"Holding something next to something": "1", "Closing something": "0"}
    entry = {"id": "78687", "label": "holding potato next to vicks vaporub bottle"}
    entry |= {"template": "Holding [something] next to [something]", "placeholders": ["potato", "bottle"]}  # type: ignore[dict-item]
    other = {
        "id": "74225",
        "label": "closing lid",
        "template": "Closing [something]",
        "placeholders": ["lid"],
    }
    write(lists / "labels.json", json.dumps(numbers))
    write(lists / "train.json", json.dumps([entry]))
    write(lists / "validation.json", json.dumps([other]))
    write(lists / "test.json", json.dumps([{"id": "1420"}]))
    for data in (tmp_path, lists / "train.json"):
        samples = read_samples(data)
        assert samples.layout == "Something-Something v2"
        assert samples.labels == ("Closing something", "Holding something next to something")
        assert seen(samples.train, lists.parent) == [
            ("20bn-something-something-v2/78687.webm", "Holding something next to something")
        ]
        assert [s.label for s in samples.val] == ["Closing something"]
        assert samples.notes == ("test.json has no classes; left out",)
    write(lists / "train.json", json.dumps([entry, {"id": "2", "template": "Eating [something]"}]))
    refused(tmp_path, r"train\.json, entry 2: no class 'Eating something'")
    write(lists / "train.json", json.dumps([entry])[:-9])
    refused(lists / "train.json", r"train\.json, line 1: broken JSON")


def test_something_something_v1(tmp_path: Path) -> None:
    lay(tmp_path, "20bn-something-something-v1/100218/00001.jpg\n20bn-something-something-v1/24413/00001.jpg")
    name = "something-something-v1"
    write(tmp_path / f"{name}-labels.csv", "Holding something\nSomething falling like a feather or paper\n")
    write(tmp_path / f"{name}-train.csv", "100218;Something falling like a feather or paper\n")
    write(tmp_path / f"{name}-validation.csv", "24413;Holding something\n")
    samples = read_samples(tmp_path)
    assert samples.layout == "Something-Something v1"
    assert samples.labels == ("Holding something", "Something falling like a feather or paper")
    assert [(s.path.name, s.label) for s in samples.train] == [("100218", samples.labels[1])]
    assert [s.path.name for s in samples.val] == ["24413"]
    write(tmp_path / f"{name}-train.csv", "100218;Something falling\n")
    refused(tmp_path, r"v1-train\.csv, line 1: no class 'Something falling'")


# --- Charades ---

CHARADES = """\
id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length
46GP8,HR43,Kitchen,6,7,Yes,"A person cooks, then
looks out.",food;window,"Someone cooks.",c092 11.90 21.20;c147 0.00 12.60;c092 25.00 30.00,30.50
N11GT,0KZ7,Stairs,6,7,Yes,,,,,18.33
"""


def test_charades_is_whole_videos_of_several_classes(tmp_path: Path) -> None:
    lay(tmp_path, "Charades_v1_480/46GP8.mp4\nCharades_v1_480/N11GT.mp4")
    write(tmp_path / "Charades" / "Charades_v1_train.csv", CHARADES)
    write(tmp_path / "Charades" / "Charades_v1_test.csv", CHARADES)
    samples = read_samples(tmp_path)
    assert samples.multi_label
    assert samples.layout == "Charades, whole videos"
    assert len(samples.labels) == 157
    # c092 and c147 in Charades_v1_classes.txt.
    assert samples.train[0].labels == ("Watching/Looking outside of a window", "Someone is cooking something")
    assert samples.train[1].labels == ()
    assert [s.group for s in samples.train] == ["HR43", "0KZ7"]
    assert len(samples.test) == 2
    assert samples.train[0].start_s is None


def test_broken_charades(tmp_path: Path) -> None:
    lay(tmp_path, "46GP8.mp4\nN11GT.mp4")
    list_ = tmp_path / "Charades_v1_train.csv"
    for old, new, message in (
        (
            "c147 0.00",
            "c157 0.00",
            r"Charades_v1_train\.csv, line 2: no class c157; there are 157, c000 to c156",
        ),
        ("0.00 12.60", "12.60 0.00", r"line 2: from 12.6 s to 0 s"),
        ("c147 0.00 12.60", "c147 0.00", r"line 2: action 'c147 0.00'; `c092 11.90 21.20` was wanted"),
        (",,,,,18.33", ",,,18.33", r"line 4: 9 columns, the header has 11"),
    ):
        refused(write(list_, CHARADES.replace(old, new)), message)
    write(tmp_path / "Charades_v1_classes.txt", "c000 Holding some clothes\nc002 Taking some clothes\n")
    refused(write(list_, CHARADES), r"Charades_v1_classes\.txt: 2 classes, but no class 1")


def test_a_set_of_several_labels_is_parted_by_persons(tmp_path: Path) -> None:
    videos = tuple(
        Sample(tmp_path / f"{p}{i}", labels, f"p{p}")
        for p in range(10)
        for i, labels in enumerate([("walk", "wave"), ("wave",), ()])
    )
    parted = training_samples(
        Samples(videos, labels=("fall", "walk", "wave"), multi_label=True), val_fraction=0.2
    )
    assert len({s.group for s in parted.val}) == 2
    assert not {s.group for s in parted.train} & {s.group for s in parted.val}
    assert parted.notes == ("1 of 3 classes have no video: fall",)
    assert parted.labels == ("fall", "walk", "wave")


# --- ActivityNet, THUMOS14, AVA ---


def test_activitynet_becomes_a_sample_per_segment(tmp_path: Path) -> None:
    lay(tmp_path, "videos/v_sJFgo9H6zNo.mp4\nvideos/V1zhqaGFY2A.mkv")
    segments = [
        {"segment": [80.0, 120.5], "label": "Fun sliding down"},
        {"segment": [3, 20], "label": "Surfing"},
    ]
    base = {
        "sJFgo9H6zNo": {
            "duration": 118.0,
            "subset": "training",
            "resolution": "320x240",
            "annotations": segments,
        },
        "V1zhqaGFY2A": {"duration": 60.0, "subset": "validation", "annotations": [segments[1]]},
        "JDg--pjY5gg": {"duration": 60.0, "subset": "validation", "annotations": [segments[1]]},
        "0dkIbKXXFzI": {"duration": 60.0, "subset": "testing", "annotations": []},
    }
    data = write(
        tmp_path / "activity_net.v1-3.min.json", json.dumps({"version": "VERSION 1.3", "database": base})
    )
    for given in (tmp_path, data):
        samples = read_samples(given)
        # The second ends after its video does.
        assert [(s.label, s.start_s, s.end_s) for s in samples.train] == [
            ("Surfing", 3, 20),
            ("Fun sliding down", 80, 118),
        ]
        assert len(samples.val) == 1
        assert len({s.group for s in samples.train}) == 1
        assert samples.labels == ("Fun sliding down", "Surfing")
        assert samples.notes[0] == "1 of 3 videos are not there; left out"


def test_thumos_becomes_a_sample_per_segment(tmp_path: Path) -> None:
    lay(tmp_path, "validation/video_validation_0000051.mp4\ntest/video_test_0000004.mp4")
    val = tmp_path / "TH14_Temporal_annotations_validation" / "annotation"
    test = tmp_path / "TH14_Temporal_annotations_test" / "annotation"
    write(
        val / "Billiards_val.txt",
        "video_validation_0000051  37.2 41.9\nvideo_validation_0000051  52.8 60.0\n",
    )
    write(val / "Ambiguous_val.txt", "video_validation_0000051  0.5 2.0\n")
    write(test / "Diving_test.txt", "video_test_0000004  0.2 1.1\n")
    write(test / "Billiards_test.txt", "video_test_0000004  9.0 11.0\n")
    samples = read_samples(tmp_path)
    assert [(s.label, s.start_s, s.end_s) for s in samples.train] == [
        ("Billiards", 37.2, 41.9),
        ("Billiards", 52.8, 60.0),
    ]
    assert [s.label for s in samples.test] == ["Diving", "Billiards"]
    assert "1 stretches are filed as ambiguous; left out" in samples.notes
    assert "THUMOS14" in samples.layout


def test_ava_needs_another_task(tmp_path: Path) -> None:
    lay(tmp_path, "videos/-5KQ66BBWC4.mkv")
    list_ = write(
        tmp_path / "annotations" / "ava_val_v2.2.csv", "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n"
    )
    for data in (tmp_path, list_):
        refused(data, r"boxes of persons \(AVA\).*spatio-temporal task, which `train` does not have yet")


# --- what a person may get wrong with any of them ---


def test_what_is_no_list_is_refused_by_what_it_is(tmp_path: Path) -> None:
    for name, content, message in (
        ("a.pkl", b"\x80\x04\x95", r"a\.pkl: a pickle or an array file, which is never opened"),
        ("b.txt", b"\x80\x04\x95", r"b\.txt: a pickle"),
        ("c.zip", b"PK\x03\x04", r"c\.zip: a zip archive; unpack it"),
        ("d.csv", "a.mp4 läuft\n".encode("latin-1"), r"d\.csv, line 1: not UTF-8 \(byte 0xe4\)"),
        ("e.txt", "a.mp4 a\n".encode("utf-16"), r"e\.txt, line 1: UTF-16; save the file as UTF-8"),
        ("f.txt", b"a.mp4 a\n" + b"x" * 200_000, r"f\.txt, line 2: 200000 characters in one line"),
        ("g.txt", b"a\0b", r"g\.txt: holds zero bytes"),
        ("h.json", b'{"a": 1}', r"h\.json: JSON of no layout"),
        ("i.json", b"[" * 100_000, r"i\.json: JSON nested too deeply"),
        ("j.txt", b'a.mp4 "jump\n', r"j\.txt, line 1: quotes that don't close"),
    ):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, message)


def test_options_that_do_not_fit_are_refused(ucf101: Path, tmp_path: Path) -> None:
    folders = lay(tmp_path / "own", "walk/1.mp4\nrun/2.mp4")
    refused(folders, "folders have no numbered splits; leave --split-number out", fold=1)
    refused(folders, "no annotation file in it to look up", videos=ucf101)
    refused(
        ucf101, r"nowhere: no such folder; give the one that the videos lie in", videos=ucf101 / "nowhere"
    )
    write(ucf101 / "train.csv", KINETICS)
    refused(
        ucf101,
        r"holds several data sets, Kinetics lists \(.*\) and UCF101 lists \(.*\); give one of these files",
    )


def test_namesakes_that_no_class_parts_are_refused(ucf101: Path) -> None:
    lay(ucf101, "copy/ApplyLipstick/v_ApplyLipstick_g08_c01.avi")
    refused(ucf101, r"two files could be .*v_ApplyLipstick_g08_c01\.avi.*--videos FOLDER")
    assert len(read_samples(ucf101, videos=ucf101 / "UCF-101").train) == 2


def test_a_name_that_no_disk_can_hold_is_a_missing_file(tmp_path: Path) -> None:
    lay(tmp_path, "a.mp4")
    refused(write(tmp_path / "own.txt", f"a.mp4 run\n{'x' * 5000}.mp4 run\n"), "1 of 2 files are missing")
    refused(
        write(tmp_path / "train.csv", KINETICS.replace("---QUuC4vJs", "x" * 5000)), "3 of 3 files are missing"
    )
