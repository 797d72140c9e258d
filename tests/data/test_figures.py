"""What somebody who watches the films would notice: who moves how, and whether the stated truth is true."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from muybridge.data.figures import ACTIONS, PAIRS, RECOGNIZED, film_dataset, film_story
from muybridge.data.figures.acting import Beat, Person
from muybridge.data.figures.action import Style
from muybridge.data.figures.body import Body, J, Pose, skeleton
from muybridge.data.figures.brush import Light, paint
from muybridge.data.figures.film import shots
from muybridge.data.figures.scenes import clip_scene, story_scene

STYLES = [Style(falls=falls) for falls in ("forward", "backward", "sideways")] + [Style(left_handed=True)]
SMALL = (60, 80)


def joints(action: str, phases: np.ndarray, style: Style | None = None) -> np.ndarray:
    """(t, n, 3) in the body's own axes."""
    style = style or Style()
    return np.stack([skeleton(ACTIONS[action].pose(phase, style), Body()) for phase in phases])


def person(action: str, yaw: float = 0.0) -> Person:
    beat = Beat(action=action, start_s=0, end_s=3, phase_s=1, yaw=yaw)
    return Person(body=Body(), style=Style(), beats=(beat,))


def test_a_standing_body_has_human_proportions() -> None:
    body = skeleton(Pose(), Body(stature_m=1.8))
    assert body[J["ankle_l"], 1] == pytest.approx(0.039 * 1.8, abs=0.02)  # Drillis and Contini 1966
    assert body[J["knee_l"], 1] == pytest.approx(0.285 * 1.8, abs=0.02)
    assert body[J["pelvis"], 1] == pytest.approx(0.53 * 1.8, abs=0.02)
    assert body[J["neck"], 1] == pytest.approx(0.818 * 1.8, abs=0.02)
    assert body[:, 0].max() < 0.3
    assert np.allclose(body[J["wrist_l"], (0, 1)], body[J["wrist_r"], (0, 1)])


@pytest.mark.parametrize("action", list(ACTIONS))
@pytest.mark.parametrize("style", STYLES)
def test_limbs_keep_their_length_and_nobody_sinks_into_the_floor(action: str, style: Style) -> None:
    moving = joints(action, np.linspace(0, 1, 30), style)
    assert moving[..., 1].min() > 0
    for a, b in (
        ("hip_l", "knee_l"),
        ("knee_r", "ankle_r"),
        ("shoulder_l", "elbow_l"),
        ("elbow_r", "wrist_r"),
    ):
        length = np.linalg.norm(moving[:, J[a]] - moving[:, J[b]], axis=-1)
        assert np.ptp(length) < 1e-9


@pytest.mark.parametrize("action", list(ACTIONS))
def test_movement_has_no_jumps(action: str) -> None:
    phases = np.linspace(0, 1, 201) if not ACTIONS[action].cyclic else np.linspace(0, 2, 401)
    moving = joints(action, phases)
    assert np.linalg.norm(np.diff(moving, axis=0), axis=-1).max() < 0.1


@pytest.mark.parametrize(("action", "yaw", "way"), [("walk", 0, 1), ("run", 10, 1), ("walk", 180, -1)])
def test_walkers_go_where_they_look(action: str, yaw: float, way: int) -> None:
    hips = [person(action, yaw).joints_at(t)[J["pelvis"], 0] for t in np.linspace(0, 3, 40)]
    assert (np.diff(hips) * way > 0).all()
    nose = person(action, yaw).joints_at(1.0)
    assert (nose[J["nose"], 0] - nose[J["head"], 0]) * way > 0


def test_the_standing_foot_stays_where_it_is() -> None:
    """A walker whose feet skate would teach that speed is not to be trusted."""
    walk = np.stack([person("walk").joints_at(t) for t in np.linspace(0, 3, 300)])
    feet = walk[:, [J["ankle_l"], J["ankle_r"]]]
    lower = feet[:, :, 1].argmin(1)
    slip = np.abs(np.diff(feet[:, :, 0], axis=0))[np.arange(299), lower[:-1]].sum()
    assert slip < 0.3 * (walk[-1, J["pelvis"], 0] - walk[0, J["pelvis"], 0])


def test_a_runner_is_faster_and_leaves_the_floor() -> None:
    body, style = Body(), Style()
    assert ACTIONS["run"].metres(body, style) > 1.3 * ACTIONS["walk"].metres(body, style)
    ankles = [J["toe_l"], J["toe_r"], J["ankle_l"], J["ankle_r"]]
    phases = np.linspace(0, 1, 50)
    assert joints("run", phases)[:, ankles, 1].min(1).max() > 0.08
    assert joints("walk", phases)[:, ankles, 1].min(1).max() < 0.05


def test_a_jump_leaves_the_floor_and_comes_back() -> None:
    toes = joints("jump", np.linspace(0, 1, 50))[:, [J["toe_l"], J["toe_r"]], 1].min(1)
    assert toes[0] < 0.05
    assert toes[-1] < 0.05
    assert toes.max() > 0.25


def test_a_waving_hand_swings_above_the_shoulder() -> None:
    wave = joints("wave", np.linspace(0, 3, 90))
    assert (wave[:, J["wrist_r"], 1] > wave[:, J["shoulder_r"], 1]).all()
    sideways = np.diff(np.sign(np.diff(wave[:, J["wrist_r"], 2])))
    assert np.count_nonzero(sideways) == 6  # two turns in each of three waves
    left = joints("wave", np.linspace(0, 3, 90), Style(left_handed=True))
    assert (left[:, J["wrist_l"], 1] > left[:, J["shoulder_l"], 1]).all()


@pytest.mark.parametrize("falls", ["forward", "backward", "sideways"])
def test_a_fall_ends_on_the_floor(falls: str) -> None:
    fall = joints("fall", np.array([0.0, 1.0]), replace(Style(), falls=falls))
    assert fall[0, J["head"], 1] > 1.4
    assert fall[1, J["head"], 1] < 0.35
    assert fall[1, J["pelvis"], 1] < 0.35


def test_sitting_down_read_backwards_is_standing_up() -> None:
    phases = np.linspace(0, 1, 20)
    assert np.allclose(joints("sit_down", phases), joints("stand_up", phases[::-1]))
    sat = joints("sit_down", phases)[-1]
    assert sat[J["pelvis"], 1] == pytest.approx(sat[J["knee_l"], 1], abs=0.08)
    assert sat[J["pelvis"], 0] < sat[J["ankle_l"], 0] - 0.3


def test_a_disc_covers_its_area() -> None:
    image = np.zeros((40, 40, 3), np.float32)
    paint(image, [(20.3, 19.6, 9.0)], (100, 100, 100), Light(0, 0, 1, ambient=1.08))
    assert image[..., 0].sum() / 108 == pytest.approx(np.pi * 81, rel=0.01)


def test_a_drawn_polygon_covers_its_area_whichever_way_round() -> None:
    corners = [(10.0, 10.0, 1.0), (30.0, 10.0, 1.0), (30.0, 22.0, 1.0), (10.0, 22.0, 1.0)]
    for shape in (corners, corners[::-1]):
        image = np.zeros((40, 40, 3), np.float32)
        paint(image, shape, (100, 100, 100), Light(0, 0, 1, ambient=1.08))
        # Steiner: a convex shape widened by r has area A + perimeter r + pi r^2.
        assert image[..., 0].sum() / 108 == pytest.approx(20 * 12 + 64 + np.pi, rel=0.01)


@pytest.mark.parametrize("action", RECOGNIZED)
def test_a_clip_shows_its_action_by_whoever_it_is_about(action: str) -> None:
    scene = clip_scene(action, seed=5, split="train", index=1, size=SMALL)
    assert 2.0 <= scene.duration_s <= 3.0 + 0.5 / scene.fps
    assert 20 <= scene.crf <= 32
    together = action in ("shake_hands", "hug", "push")
    spans = [(span.track, span.label, span.start_s, span.end_s) for span in scene.spans]
    assert spans == [(track, action, 0.0, scene.duration_s) for track in range(1 + together)]
    for time_s in (0.0, 0.5 * scene.duration_s, scene.duration_s - 0.05):
        truths = scene.stage.frame(time_s)[1]
        assert [truth.labels for truth in truths] == [(action,)] * (1 + together)
        assert min(truth.visible for truth in truths) > 0.1
        tallest = max(truth.box_xyxy[3] - truth.box_xyxy[1] for truth in truths)
        assert tallest > (0.1 if action in ("fall", "get_up") else 0.25) * SMALL[0]


@pytest.mark.parametrize("pair", PAIRS[:3] + PAIRS[4:], ids=" ".join)
def test_what_is_done_once_happens_whole_and_early_as_often_as_late(pair: tuple[str, str]) -> None:
    """Or the rest at the end would tell an action from its reverse."""
    middles = {}
    for action in pair:
        rests = []
        for index in range(40):
            scene = clip_scene(action, seed=1, split="train", index=index, size=(32, 44))
            beat = scene.stage.people[0].beats[0]
            begins = -beat.phase * beat.phase_s
            assert begins > 0
            assert begins + beat.phase_s < scene.duration_s
            rests.append((begins + beat.phase_s / 2) / scene.duration_s)
        middles[action] = float(np.mean(rests))
    assert all(abs(middle - 0.5) < 0.05 for middle in middles.values())


def frames_of(seed: int, index: int = 0, split: str = "train") -> torch.Tensor:
    scene = replace(clip_scene("jump", seed=seed, split=split, index=index, size=SMALL), num_frames=4)
    return torch.stack([frame for frame, _ in shots(scene)])


def test_a_film_is_a_function_of_its_seed_and_number() -> None:
    assert torch.equal(frames_of(3), frames_of(3))
    for other in (frames_of(4), frames_of(3, index=1), frames_of(3, split="val")):
        assert not torch.equal(frames_of(3), other)


def test_a_frame_drawn_alone_is_the_one_drawn_in_its_turn() -> None:
    scene = replace(clip_scene("walk", seed=1, split="train", index=0, size=SMALL), num_frames=4)
    alone, _ = scene.stage.frame(float(3 / scene.fps))
    in_turn = [frame for frame, _ in shots(scene)][3]
    assert torch.equal(in_turn, torch.from_numpy((alone + 0.5).astype(np.uint8)).permute(2, 0, 1))


def test_a_story_says_what_happens_when_and_can_be_heard(tmp_path: Path) -> None:
    path = tmp_path / "story.mp4"
    told = film_story(path, actions=("walk", "sit_down", "fall", "walk"), size=SMALL, seed=2)
    assert [action for action, _, _ in told] == [
        "walk_right",
        "sit_down",
        "stand_up",
        "fall",
        "get_up",
        "walk_left",
    ]
    assert told[0][1] == 0
    assert all(before[2] == after[1] for before, after in pairwise(told))
    with av.open(str(path)) as container:
        seconds = sum(1 for _ in container.decode(video=0)) / 25
        assert seconds == pytest.approx(told[-1][2], abs=0.03)
        container.seek(0)
        loudness = [np.abs(frame.to_ndarray()).max() for frame in container.decode(audio=0)]
        assert max(loudness) > 0.1


def test_whoever_walks_in_a_story_goes_where_the_label_says() -> None:
    names = ("walk", "wave", "walk", "walk_left", "run")
    for seed in range(4):
        scene = story_scene(names, seed=seed, size=SMALL, fps=Fraction(25))
        walks = [span for span in scene.spans if span.label in ("walk_left", "walk_right")]
        assert len(walks) == 3
        for span in walks:
            begin, end = (scene.stage.people[0].place_at(at)[0] for at in (span.start_s, span.end_s))
            assert (end > begin) == (span.label == "walk_right")


def test_unknown_actions_and_impossible_stories_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no action is called 'wlak'; did you mean walk"):
        film_dataset(tmp_path, actions=["wlak"])
    with pytest.raises(ValueError, match="it takes two to hug"):
        film_story(tmp_path / "a.mp4", actions=["walk", "hug"])
    assert not list(tmp_path.iterdir())
