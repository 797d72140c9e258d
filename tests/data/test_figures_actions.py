"""What tells one action from another, as facts about the joints: who leaves the floor, whose hands meet where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from muybridge.data.figures.acting import Beat, Person
from muybridge.data.figures.action import Style, flight, through
from muybridge.data.figures.actions import ACTIONS, PAIRS, RECOGNIZED
from muybridge.data.figures.body import Body, J, Pose, skeleton

PHASES = np.linspace(0, 1, 101)
FALLS = ("forward", "backward", "sideways")
STYLES = [
    *(Style(falls=falls, lot=lot) for falls, lot in zip(FALLS, (0.1, 0.45, 0.9), strict=True)),
    Style(left_handed=True, vigour=0.85),
    Style(vigour=1.15, bend=20),
]
HANDS, FEET = [J["wrist_l"], J["wrist_r"]], [J["ankle_l"], J["ankle_r"], J["toe_l"], J["toe_r"]]
ANKLES = [J["ankle_l"], J["ankle_r"]]


def joints(action: str, style: Style | None = None, phases: np.ndarray = PHASES) -> np.ndarray:
    """(t, n, 3) in the body's own axes, of a body of 1.72 m."""
    style = style or Style()
    return np.stack([skeleton(ACTIONS[action].pose(phase, style), Body()) for phase in phases])


def filmed(action: str, yaw: float, style: Style | None = None, phases: np.ndarray = PHASES) -> np.ndarray:
    """(t, n, 3) in the world, one phase a second."""
    beat = Beat(action=action, start_s=0, end_s=phases[-1], phase_s=1, yaw=yaw)
    person = Person(body=Body(), style=style or Style(), beats=(beat,))
    return np.stack([person.joints_at(at) for at in phases])


def between(points: np.ndarray, a: str, b: str) -> np.ndarray:
    return np.linalg.norm(points[:, J[a]] - points[:, J[b]], axis=-1)


def test_the_actions_are_these() -> None:
    names = {
        *("stand", "walk", "walk_left", "walk_right", "run", "skip", "side_gallop", "jump", "jump_in_place"),
        *(
            "jumping_jack",
            "bend",
            "squat",
            "kick",
            "wave",
            "wave_both",
            "box",
            "clap",
            "sit_down",
            "stand_up",
        ),
        *("pick_up", "put_down", "open_door", "close_door", "fall", "get_up", "shake_hands", "hug", "push"),
    }
    assert set(ACTIONS) == names
    assert set(RECOGNIZED) == names - {"stand"}
    assert len(RECOGNIZED) == 27


@pytest.mark.parametrize("action", [name for name in ACTIONS if ACTIONS[name].cyclic])
@pytest.mark.parametrize("style", STYLES)
def test_a_cycle_ends_where_it_began(action: str, style: Style) -> None:
    moving = joints(action, style, np.array([0.0, 1 - 1e-9]))
    assert np.isfinite(moving).all()
    assert np.allclose(moving[0], moving[1], atol=1e-5)


@pytest.mark.parametrize("action", [name for name in ACTIONS if not ACTIONS[name].cyclic])
def test_what_is_done_once_holds_its_ends(action: str) -> None:
    moving = joints(action, phases=np.array([-0.7, 0.0, 1.0, 1.9]))
    assert np.array_equal(moving[0], moving[1])
    assert np.array_equal(moving[2], moving[3])


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if "walk_left" not in pair])
@pytest.mark.parametrize("style", STYLES)
def test_a_pair_is_the_same_in_reversed_time(pair: tuple[str, str], style: Style) -> None:
    one, other = (ACTIONS[name] for name in pair)
    assert np.allclose(joints(pair[0], style), joints(pair[1], style, 1 - PHASES), atol=1e-9)
    assert (one.seconds, one.thing) == (other.seconds, other.thing)
    assert one.views_of(style) == other.views_of(style)


def test_a_walk_to_the_left_is_a_backward_walk_to_the_right_in_reversed_time() -> None:
    left, right = filmed("walk_left", 180, Style(lot=0.9)), filmed("walk_right", 180, Style(lot=0.1))
    reversed_ = right[::-1]
    assert np.allclose(left - left[:1, :1], reversed_ - reversed_[:1, :1], atol=1e-9)


@pytest.mark.parametrize(("action", "way"), [("walk_left", -1), ("walk_right", 1)])
@pytest.mark.parametrize("lot", [0.1, 0.9])
@pytest.mark.parametrize("left_handed", [False, True])
def test_sideways_walkers_go_where_their_label_says(
    action: str, way: int, lot: float, left_handed: bool
) -> None:
    style = Style(lot=lot, left_handed=left_handed)
    for low, high in ACTIONS[action].views_of(style):
        hips = filmed(action, (low + high) / 2, style)[:, J["pelvis"], 0]
        assert (np.diff(hips) * way > 0).all()
        assert abs(hips[-1] - hips[0]) > 1


@pytest.mark.parametrize("action", ["walk_left", "walk_right"])
def test_half_of_the_sideways_walkers_look_the_other_way(action: str) -> None:
    rng = np.random.default_rng(0)
    faces_right = []
    for _ in range(400):
        views = ACTIONS[action].views_of(Style.drawn(rng))
        faces_right.append(np.cos(np.radians(np.mean(views))) > 0)
    assert 160 < sum(faces_right) < 240  # four standard deviations of a fair coin about 200


def test_the_plain_walk_comes_or_goes() -> None:
    for low, high in ACTIONS["walk"].views:
        hips = filmed("walk", low + 0.2 * (high - low))[:, J["pelvis"]]
        across, _, deep = np.abs(hips[-1] - hips[0])
        assert deep > 5 * across


def test_a_jump_gets_on_and_a_jump_in_place_does_not() -> None:
    small, weak = Body(stature_m=1.52, legs=0.94), Style(vigour=0.85)
    assert ACTIONS["jump"].metres(small, weak) > 1
    assert ACTIONS["jump_in_place"].metres(Body(), Style(vigour=1.15)) == 0
    for action in ("jump", "jump_in_place"):
        moving = filmed(action, 0)
        flown = moving[:, FEET, 1].min(1) > 0.06
        slid = np.abs(np.diff(moving[:, ANKLES, 0].mean(1)))[~flown[:-1] & ~flown[1:]]
        assert flown.any()
        assert slid.max() < 0.035  # on the floor the feet stay


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_side_gallop_goes_sideways_feet_together_and_apart(left_handed: bool) -> None:
    moving = filmed("side_gallop", 90, Style(left_handed=left_handed))
    gone = moving[-1, J["pelvis"]] - moving[0, J["pelvis"]]
    assert gone[0] * (1 if left_handed else -1) > 0.7  # who faces us has the right hand on the picture's left
    assert abs(gone[2]) < 0.01
    apart = between(moving, "ankle_l", "ankle_r")
    assert apart.max() > 0.45
    assert apart.min() < 0.22


@pytest.mark.parametrize("lot", [0.1, 0.9])
def test_a_side_gallop_is_no_jumping_jack(lot: float) -> None:
    moving = joints("side_gallop", Style(lot=lot))
    assert (moving[:, HANDS, 1] < moving[:, [J["neck"]], 1] - 0.3).all()  # arms are never raised
    assert between(moving, "wrist_l", "wrist_r").max() < 0.75
    hips = np.linalg.norm(moving[:, HANDS] - moving[:, [J["hip_l"], J["hip_r"]]], axis=-1)
    assert (hips.max() < 0.25) == (lot < 0.5)


@pytest.mark.parametrize(
    ("action", "flies"),
    [
        *((name, True) for name in ("run", "skip", "side_gallop", "jump", "jump_in_place", "jumping_jack")),
        *((name, False) for name in ("stand", "walk", "bend", "squat", "kick", "wave", "box", "clap")),
    ],
)
def test_only_some_leave_the_floor(action: str, flies: bool) -> None:
    height = joints(action)[:, FEET, 1].min(1)
    assert (height.max() > 0.08) == flies
    assert height.min() < 0.05


def test_a_skipper_lands_on_the_foot_that_took_off_and_a_runner_on_the_other() -> None:
    for action, same in (("skip", True), ("run", False)):
        moving = joints(action, phases=np.linspace(0, 2, 401))
        flown = moving[:, FEET, 1].min(1) > 0.06
        lower = moving[:, ANKLES, 1].argmin(1)
        begins, ends = (np.flatnonzero(np.diff(flown.astype(int)) == step) for step in (1, -1))
        pairs = [(lower[k], lower[ends[ends > k][0] + 1]) for k in begins if (ends > k).any()]
        assert len(pairs) >= 3
        assert all((a == b) == same for a, b in pairs)


def test_a_skipper_stands_on_feet_that_do_not_skate() -> None:
    moving = filmed("skip", 0)
    lower = moving[:, ANKLES, 1].argmin(1)[:-1]
    down = moving[:-1, FEET, 1].min(1) < 0.05
    slip = np.abs(np.diff(moving[:, ANKLES, 0], axis=0))[np.arange(100), lower][down].sum()
    assert slip < 0.25 * (moving[-1, 0, 0] - moving[0, 0, 0])


def test_a_jumping_jack_claps_overhead_with_legs_apart() -> None:
    closed, opened = joints("jumping_jack", phases=np.array([0.0, 0.5]))
    assert (closed[HANDS, 1] < closed[J["pelvis"], 1]).all()
    assert (opened[HANDS, 1] > opened[J["head"], 1] + 0.2).all()
    assert np.linalg.norm(opened[HANDS[0]] - opened[HANDS[1]]) < 0.15
    assert np.linalg.norm(opened[ANKLES[0]] - opened[ANKLES[1]]) > 0.6
    assert np.linalg.norm(closed[ANKLES[0]] - closed[ANKLES[1]]) < 0.3


def test_clapping_hands_meet_before_the_chest() -> None:
    clap = joints("clap")
    apart = between(clap, "wrist_l", "wrist_r")
    assert apart[50] < 0.12
    assert 0.6 < apart[0] < 0.85
    assert (clap[50, HANDS, 0] - clap[50, J["neck"], 0] > 0.4).all()
    chest = clap[50, J["neck"], 1] - clap[50, HANDS, 1]
    assert (chest > 0).all()
    assert (clap[:, HANDS, 1] > clap[:, [J["pelvis"]], 1]).all()
    assert (clap[:, HANDS, 0] > 0.15).all()


def test_a_boxer_strikes_with_one_fist_and_then_the_other() -> None:
    box = joints("box")
    ahead = box[:, HANDS, 0] - box[:, [J["neck"]], 0]
    left, right = ahead.T
    assert PHASES[right.argmax()] < 0.5 < PHASES[left.argmax()]
    for far, near in ((right, left), (left, right)):
        assert far.max() > 0.5
        assert near[far.argmax()] < 0.35
        assert far.max() > near[far.argmax()] + 0.3
    for fist, strikes in ((0, right), (1, left)):
        waiting, head = box[strikes.argmax(), HANDS[fist]], box[strikes.argmax(), J["head"]]
        assert np.linalg.norm(waiting - head) < 0.32  # at the chin
    assert (box[:, HANDS, 1] > box[:, [J["shoulder_l"]], 1] - 0.25).all()  # on guard all the time


def test_who_bends_touches_the_toes_with_straight_legs() -> None:
    for style in STYLES:
        bent = joints("bend", style)[50]
        assert (bent[HANDS, 1] < 0.25).all()
        assert np.abs(bent[HANDS, 0] - bent[[J["toe_l"], J["toe_r"]], 0]).max() < 0.3
        leg = np.linalg.norm(bent[J["hip_l"]] - bent[J["ankle_l"]])
        assert leg > 0.995 * (0.245 + 0.246) * 1.72  # Drillis and Contini's thigh and shank in one line
        assert bent[J["head"], 1] < bent[J["pelvis"], 1]


def test_who_squats_goes_down_upright() -> None:
    squat = joints("squat")[50]
    assert squat[J["pelvis"], 1] < 0.6
    assert squat[J["head"], 1] > squat[J["pelvis"], 1] + 0.55
    assert (squat[HANDS, 1] > 0.4).all()


@pytest.mark.parametrize("left_handed", [False, True])
def test_a_kick_goes_back_then_high_on_a_leg_that_stands(left_handed: bool) -> None:
    kick = joints("kick", Style(left_handed=left_handed))
    foot, other = ANKLES if left_handed else ANKLES[::-1]
    back, front = kick[:, foot, 0].argmin(), kick[:, foot, 0].argmax()
    assert back < front
    assert kick[front, foot, 1] > 0.75
    assert np.ptp(kick[:, other], axis=0).max() < 0.08


def test_one_hand_waves_or_both_do() -> None:
    raised = {
        name: joints(name)[:, HANDS, 1] > joints(name)[:, [J["neck"]], 1] for name in ("wave", "wave_both")
    }
    assert raised["wave_both"].all()
    assert (raised["wave"].sum(1) == 1).all()


@pytest.mark.parametrize("action", ["wave", "wave_both"])
@pytest.mark.parametrize("vigour", [0.85, 1.15])
def test_a_waving_forearm_swings_to_and_fro(action: str, vigour: float) -> None:
    moving = joints(action, Style(vigour=vigour))
    forearm = moving[:, J["wrist_r"]] - moving[:, J["elbow_r"]]
    assert np.ptp(np.degrees(np.arctan2(forearm[:, 2], forearm[:, 1]))) > 60


@pytest.mark.parametrize("falls", FALLS)
@pytest.mark.parametrize("action", ["fall", "get_up"])
def test_falls_are_seen_across_the_picture(action: str, falls: str) -> None:
    style = replace(Style(), falls=falls)
    for low, high in ACTIONS[action].views_of(style):
        moving = filmed(action, (low + high) / 2, style)
        lying = moving[-1 if action == "fall" else 0]
        along = lying[J["head"]] - lying[J["pelvis"]]
        assert abs(along[0]) > 2 * abs(along[2])
        assert lying[:, 1].max() < 0.5
        assert np.ptp(moving[..., 1]) > 1.5  # from head height to the floor


def test_a_fall_gets_faster() -> None:
    for falls in FALLS:
        head = joints("fall", replace(Style(), falls=falls))[:, J["head"], 1]
        down = head[0] - head
        assert down[40] < 0.4 * down[-1]
        assert down[90] > 0.95 * down[-1]


def test_key_poses_are_met_and_never_overshot() -> None:
    keys = ((0.1, Pose(lean=0)), (0.3, Pose(lean=10)), (0.4, Pose(lean=50)), (0.8, Pose(lean=50)))
    for at, pose in keys:
        assert through(at, *keys) == pytest.approx(pose)
        assert through(at + 1, *keys, cyclic=True) == pytest.approx(pose)
    leans = np.array([through(phase, *keys).lean for phase in np.linspace(0, 1, 301)])
    assert (np.diff(leans) >= -1e-9).all()
    assert (leans[0], leans[-1]) == (0, 50)
    cycle = np.array([through(phase, *keys, cyclic=True).lean for phase in np.linspace(0, 3, 901)])
    assert cycle.min() >= -1e-9
    assert cycle.max() <= 50 + 1e-9
    assert np.abs(np.diff(cycle)).max() < 3


def test_who_flies_follows_a_parabola() -> None:
    heights = [flight(phase, 0.2, 0.6) for phase in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)]
    assert heights == pytest.approx([0, 0, 0.75, 1, 0.75, 0, 0])
