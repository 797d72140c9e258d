"""The data sets that are filmed: do the files say, in their formats' own terms, what the films show?"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter
from fractions import Fraction
from math import ceil, isclose
from pathlib import Path
from typing import Any

import av
import pytest

from muybridge.data.ava import read_ava
from muybridge.data.figures import ACTIONS, RECOGNIZED, film_dataset
from muybridge.data.figures.crowd import crowd_scene
from muybridge.data.figures.formats import Take, write_kinetics
from muybridge.data.figures.untrimmed import long_scene
from muybridge.data.layouts import read_samples
from muybridge.data.layouts.folders import read_folders
from muybridge.data.segments import read_activitynet

SMALL = (48, 64)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips") / "set"
    return film_dataset(folder, videos=7, size=SMALL, actions=("walk_left", "hug"), seed=3)


@pytest.fixture(scope="module")
def untrimmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untrimmed") / "set"
    return film_dataset(folder, task="temporal", videos=3, size=SMALL, length_s=(7, 9))


@pytest.fixture(scope="module")
def crowds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crowds") / "set"
    return film_dataset(folder, task="spatiotemporal", videos=3, size=SMALL, length_s=(3.2, 4))


WAVE: dict[str, Any] = {"size": SMALL, "actions": ("wave",), "seed": 3}


@pytest.fixture(scope="module")
def waves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_dataset(tmp_path_factory.mktemp("waves") / "set", videos=4, **WAVE)


def manifest(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return told


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_manifest_is_true(clips: Path, untrimmed: Path, crowds: Path) -> None:
    for folder, count in ((clips, 7), (untrimmed, 3), (crowds, 3)):
        told, there = manifest(folder), digests(folder)
        assert len(told["files"]) == count
        assert {row["path"] for row in told["files"]} == {name for name in there if name.endswith(".mp4")}
        for row in told["files"]:
            assert row["sha256"] == there[row["path"]]
            with av.open(str(folder / row["path"])) as film:
                stream = film.streams.video[0]
                assert stream.average_rate == Fraction(row["fps"])
                assert (stream.height, stream.width) == SMALL
                assert sum(1 for _ in film.decode(video=0)) == row["frames"]
        assert {"seed", "world", "muybridge", "task"} <= set(told)
        assert not [name for name in there if Path(name).name.startswith(".")]


def test_clips_lie_in_class_folders_and_are_listed_as_kinetics_lists_them(clips: Path) -> None:
    """Kinetics: `label,youtube_id,time_start,time_end,split`; clips called `<11 characters>_000000_000003.mp4`."""
    rows = []
    for name, word in (("train", "train"), ("validate", "validate"), ("test", "test")):
        with (clips / f"{name}.csv").open(newline="") as file:
            head, *body = csv.reader(file)
        assert head == ["label", "youtube_id", "time_start", "time_end", "split"]
        assert {row[4] for row in body} == {word}
        rows += body
    assert Counter(row[0] for row in rows) == {"walk_left": 4, "hug": 3}
    for label, name, start, end, split in rows:
        assert len(name) == 11
        folder = {"validate": "val"}.get(split, split)
        assert (clips / folder / label / f"{name}_{int(start):06d}_{int(end):06d}.mp4").is_file()
    listed, sorted_out = read_samples(clips), read_folders(clips)
    assert listed.layout == "Kinetics CSV"
    for one, other in zip(listed.splits.values(), sorted_out.splits.values(), strict=True):
        assert {(s.path.resolve(), s.labels) for s in one} == {(s.path.resolve(), s.labels) for s in other}


def test_a_clip_of_two_seconds_sharp_is_found_by_its_row(tmp_path: Path) -> None:
    takes = []
    for split in ("train", "val"):
        for label, name in (("walk", "746c1aa5021"), ("fall", "0ab1c2d3e4f")):
            path = Path(split, label, f"{name}_000000_000003.mp4")
            (tmp_path / path).parent.mkdir(parents=True)
            (tmp_path / path).touch()
            takes.append(Take(path=path, split=split, label=label, duration_s=2.0, spans=()))
    write_kinetics(tmp_path, takes)
    found = read_samples(tmp_path)
    assert [len(found.train), len(found.val), found.notes] == [2, 2, ()]


def test_activitynet_says_what_happens_from_when_to_when(untrimmed: Path) -> None:
    told = json.loads((untrimmed / "activitynet.json").read_text())
    assert set(told) == {"version", "taxonomy", "database"}
    nodes = {node["nodeName"] for node in told["taxonomy"]}
    assert nodes == {"Root", *RECOGNIZED}
    lengths = {
        Path(row["path"]).stem: row["frames"] / Fraction(row["fps"]) for row in manifest(untrimmed)["files"]
    }
    assert Counter(entry["subset"] for entry in told["database"].values()) == {
        "training": 1,
        "validation": 1,
        "testing": 1,
    }
    for name, entry in told["database"].items():
        assert set(entry) == {"duration", "subset", "resolution", "url", "annotations"}
        assert entry["duration"] == pytest.approx(float(lengths[name]), abs=1e-3)
        assert entry["resolution"] == "64x48"
        assert entry["annotations"]
        for annotation in entry["annotations"]:
            start, end = annotation["segment"]
            assert 0 <= start < end <= entry["duration"]
            assert annotation["label"] in nodes
    assert len(read_activitynet(untrimmed / "activitynet.json").videos) == 3


def test_ava_rows_are_boxes_at_whole_seconds_that_the_tubes_agree_with(crowds: Path) -> None:
    """AVA v2.2: no header; video, seconds in four digits, four shares, action from 1 on, person."""
    text = (crowds / "action_list.pbtxt").read_text()
    kinds = "PERSON_MOVEMENT|PERSON_INTERACTION|OBJECT_MANIPULATION"
    item = rf'label {{\n  name: "(\w+)"\n  label_id: (\d+)\n  label_type: (?:{kinds})\n}}\n'
    assert not re.sub(item, "", text)
    labels = {int(number): name for name, number in re.findall(item, text)}
    assert labels == dict(enumerate(ACTIONS, 1))
    assert read_ava(crowds, "test").keyframes
    for row in manifest(crowds)["files"]:
        video, fps = Path(row["path"]).stem, Fraction(row["fps"])
        tubes = json.loads((crowds / "tubes" / f"{video}.json").read_text())["tubes"]
        with (crowds / f"{row['split']}.csv").open(newline="") as file:
            rows = [cells for cells in csv.reader(file) if cells[0] == video]
        excluded = (crowds / f"{row['split']}_excluded_timestamps.csv").read_text().splitlines()
        found = {}
        for _, second, *box, action, person in rows:
            assert len(second) == 4
            left, top, right, bottom = map(float, box)
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
            found[int(second), int(person), labels[int(action)]] = (left, top, right, bottom)
        wanted = {}
        for second in range(1, int(row["frames"] / fps)):
            frame = ceil(second * fps)
            for tube in tubes:
                if tube["start_frame"] <= frame < tube["end_frame"]:
                    box = tube["boxes"][frame - tube["start_frame"]]
                    wanted[second, tube["track"], tube["label"]] = tuple(box)
        wanted = {key: box for key, box in wanted.items() if f"{video},{key[0]:04d}" not in excluded}
        assert found.keys() == wanted.keys()
        for key, box in found.items():
            assert all(isclose(a, b, abs_tol=1e-3) for a, b in zip(box, wanted[key], strict=True))


def test_everybody_in_a_crowd_does_something_at_every_moment() -> None:
    counts: Counter[int] = Counter()
    shown: set[str] = set()
    for index in range(12):
        scene = crowd_scene(seed=2, split="train", index=index, size=SMALL)
        people = {person.track for person in scene.stage.people}
        counts[len(people)] += 1
        shown |= {span.label for span in scene.spans}
        assert 15 <= scene.duration_s <= 60
        for track in people:
            spans = sorted((s.start_s, s.end_s) for s in scene.spans if s.track == track)
            covered = 0.0
            for start, end in spans:
                assert start <= covered + 1e-6
                covered = max(covered, end)
            assert covered == pytest.approx(scene.duration_s)
    assert set(counts) <= {2, 3, 4, 5}
    assert len(counts) > 2
    assert {"stand", "walk_left", "walk_right", "wave"} <= shown
    assert shown & {"shake_hands", "hug", "push"}


def test_what_people_do_together_they_do_at_the_same_time_within_reach() -> None:
    seen = 0
    for index in range(8):
        scene = crowd_scene(seed=4, split="train", index=index, size=SMALL)
        for label in ("shake_hands", "hug", "push"):
            spans = [span for span in scene.spans if span.label == label]
            for first, second in zip(spans[::2], spans[1::2], strict=True):
                assert (first.start_s, first.end_s) == (second.start_s, second.end_s)
                assert first.track != second.track
                people = {person.track: person for person in scene.stage.people}
                middle = (first.start_s + first.end_s) / 2
                places = [people[span.track].place_at(middle) for span in (first, second)]
                assert abs(places[0][0] - places[1][0]) < 1.8
                assert abs(places[0][1] - places[1][1]) < 0.4
                seen += 1
    assert seen > 3


def test_long_videos_are_mostly_background_and_sometimes_empty() -> None:
    empty, shares = 0, []
    for index in range(4):
        scene = long_scene(seed=1, split="train", index=index, size=SMALL)
        assert 60 <= scene.duration_s <= 300
        own = [span for span in scene.spans if span.label not in ("walk_left", "walk_right")]
        assert 3 <= len({(span.label, span.start_s) for span in own}) <= 14
        assert "stand" not in {span.label for span in scene.spans}
        covered = sum(span.end_s - span.start_s for span in scene.spans)
        shares.append(covered / scene.duration_s)
        times = [second + 0.5 for second in range(0, int(scene.duration_s), 3)]
        empty += any(not any(t.visible for t in scene.stage.frame(time)[1]) for time in times)
    assert max(shares) < 0.6
    assert empty >= 2


def test_people_walk_in_and_out_under_the_name_of_what_they_do_while_they_are_seen() -> None:
    ways = 0
    for index in range(5):
        scene = long_scene(seed=1, split="train", index=index, size=SMALL)
        people = {person.track: person for person in scene.stage.people}
        for span in scene.spans:
            if span.label in ("walk_left", "walk_right"):
                person = people[span.track]
                begin, end = (person.place_at(at)[0] for at in (span.start_s, span.end_s))
                assert (end > begin) == (span.label == "walk_right")
                for time in (span.start_s + 0.02, span.end_s - 0.06):
                    visible = [t.visible for t in scene.stage.frame(time)[1] if t.track == span.track]
                    ways += visible[0] < 0.9
                    assert visible[0] > 0.2
    assert ways  # some were cut off by the frame: they came or went


def test_workers_change_nothing_and_what_is_missing_or_damaged_is_filmed_again(
    waves: Path, tmp_path: Path
) -> None:
    again = film_dataset(tmp_path / "again", videos=4, workers=2, **WAVE)
    assert digests(again) == digests(waves)
    films = sorted(again.rglob("*.mp4"))
    untouched = {path: path.stat().st_mtime_ns for path in films[2:]}
    films[0].unlink()
    films[1].write_bytes(b"half a film")
    told: list[tuple[int, int]] = []
    film_dataset(again, videos=4, progress=lambda *at: told.append(at), **WAVE)
    assert told == [(2, 4), (3, 4), (4, 4)]
    assert digests(again) == digests(waves)
    assert {path: path.stat().st_mtime_ns for path in films[2:]} == untouched


class StopError(Exception):
    pass


def test_whoever_is_stopped_goes_on_with_whole_films_and_a_larger_set_begins_with_the_smaller(
    waves: Path, tmp_path: Path
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise StopError

    folder = tmp_path / "set"
    with pytest.raises(StopError):
        film_dataset(folder, videos=3, progress=stop, **WAVE)
    assert len(list(folder.rglob("*.mp4"))) == 2
    assert not (folder / "manifest.json").exists()
    (folder / "train" / "wave" / ".film.12345678.part").write_bytes(b"what a killed process left")
    told: list[tuple[int, int]] = []
    film_dataset(folder, videos=3, progress=lambda *at: told.append(at), **WAVE)
    assert told == [(2, 3), (3, 3)]
    told.clear()
    film_dataset(folder, videos=4, progress=lambda *at: told.append(at), **WAVE)
    assert told == [(3, 4), (4, 4)]
    assert digests(folder) == digests(waves)


def test_other_settings_and_other_peoples_folders_are_refused(clips: Path, tmp_path: Path) -> None:
    before = digests(clips)
    settings: dict[str, Any] = {"size": SMALL, "actions": ("walk_left", "hug")}
    with pytest.raises(ValueError, match=r"holds films of seed 3, not 4; give another folder"):
        film_dataset(clips, videos=7, seed=4, **settings)
    with pytest.raises(ValueError, match="holds 7 films of this kind, 1 more than asked for"):
        film_dataset(clips, videos=6, seed=3, **settings)
    assert digests(clips) == before
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="exists and holds something else"):
        film_dataset(tmp_path, videos=7, **settings)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(ValueError, match="5 videos of 2 classes: .* give 6 or more"):
        film_dataset(tmp_path / "new", videos=5, **settings)
    assert not (tmp_path / "new").exists()
