"""What somebody who watches people with things and with each other would notice, and whether the truth is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from muybridge.data.figures.acting import Beat, Person, partner_of
from muybridge.data.figures.action import Style
from muybridge.data.figures.actions import ACTIONS
from muybridge.data.figures.backdrop import Backdrop, Camera
from muybridge.data.figures.body import JOINTS, Body, J, skeleton
from muybridge.data.figures.bystanders import drawn_clutter, drawn_passers_by
from muybridge.data.figures.colours import clear_of, gap
from muybridge.data.figures.framing import Handling
from muybridge.data.figures.furniture import Chair, Table
from muybridge.data.figures.props import Carried, Door, thing_for, things_for
from muybridge.data.figures.reaching import reaching
from muybridge.data.figures.stage import Exposure, Stage, Truth, drawn_stage

SIZE = (60, 80)
FLOOR, TABLE = Style(lot=0.9), Style(lot=0.1)  # who pushes a door, who pulls it
TALL, SHORT = Body(stature_m=1.9, arms=0.95, legs=1.05), Body(stature_m=1.55, arms=1.05)


def person(*actions: str, style: Style = FLOOR, body: Body | None = None, yaw: float = 0.0) -> Person:
    """Who does each action for two seconds, in one phase where it is done once."""
    beats = tuple(
        Beat(action=name, start_s=2.0 * k, end_s=2.0 * k + 2, phase_s=2.0, yaw=yaw)
        for k, name in enumerate(actions)
    )
    return Person(body=body or Body(), style=style, beats=beats)


def made(action: str, **options: object) -> tuple[Person, Carried | Door]:
    """Somebody, and the thing that goes with what they do."""
    somebody = person(action, **options)  # type: ignore[arg-type]
    thing = thing_for(somebody, 0, np.random.default_rng(0))
    assert isinstance(thing, (Carried, Door))
    return somebody, thing


def two(action: str, body: Body | None = None) -> tuple[Person, Person]:
    first = person(action, body=body, yaw=10.0)
    other = Style(left_handed=True)
    return first, partner_of(first, 0, Body(stature_m=1.9), other, track=7)


def wrists(somebody: Person, time_s: float) -> np.ndarray:
    joints = somebody.joints_at(time_s)
    return joints[[J["wrist_l"], J["wrist_r"]]]


# --- things


@pytest.mark.parametrize("style", [FLOOR, TABLE])
@pytest.mark.parametrize("body", [TALL, SHORT])
def test_hands_reach_the_thing_and_carry_it(style: Style, body: Body) -> None:
    somebody, thing = made("pick_up", style=style, body=body)
    assert isinstance(thing, Carried)
    middle = np.array([thing.place_at(at)[:3] for at in np.linspace(0, 2, 41)])
    held = np.linspace(0, 2, 41) >= thing.from_s
    assert 0.3 < thing.from_s < 1.5
    assert np.ptp(middle[~held], axis=0).max() == 0  # it lies where it is until it is touched
    assert middle[-1, 1] > middle[0, 1] + 0.2
    reach = max(thing.half_m) + 0.06
    for at in np.linspace(thing.from_s, 2, 12):
        x, y, z, _ = thing.place_at(at)
        for wrist in wrists(somebody, at):
            assert np.linalg.norm(wrist - (x, y, z)) < reach
            assert wrist[1] == pytest.approx(y, abs=0.03)
    assert np.linalg.norm(np.diff(middle, axis=0), axis=1).max() < 0.12


@pytest.mark.parametrize("style", [FLOOR, TABLE])
def test_what_is_not_held_lies_on_something(style: Style) -> None:
    _, thing = made("pick_up", style=style)
    assert isinstance(thing, Carried)
    low = thing.place_at(0)[1] - thing.half_m[1]
    assert low == pytest.approx(thing.tables[0].top_m if style is TABLE else 0.0, abs=0.01)


@pytest.mark.parametrize("style", [FLOOR, TABLE])
def test_putting_down_is_picking_up_in_reversed_time(style: Style) -> None:
    up, thing = made("pick_up", style=style)
    down, other = made("put_down", style=style)
    assert isinstance(thing, Carried)
    assert isinstance(other, Carried)
    for at in np.linspace(0, 2, 21):
        assert np.allclose(up.joints_at(at), down.joints_at(2 - at))
        assert np.allclose(thing.place_at(at), other.place_at(2 - at))


def test_a_picked_up_thing_goes_with_its_bearer() -> None:
    bearer = person("pick_up", "walk", "put_down")
    things = things_for(bearer, np.random.default_rng(1))
    assert len(things) == 1
    thing = things[0]
    assert isinstance(thing, Carried)
    begin, end = (np.array(thing.place_at(at)[:3]) for at in (0.0, 6.0))
    way = bearer.place_at(6.0)[0] - bearer.place_at(0.0)[0]
    assert end[0] - begin[0] == pytest.approx(way, abs=0.02)
    assert end[1] == pytest.approx(begin[1], abs=0.01)
    for at in np.linspace(2.5, 4, 6):
        assert np.linalg.norm(wrists(bearer, at).mean(0) - thing.place_at(at)[:3]) < 0.1


@pytest.mark.parametrize("style", [FLOOR, TABLE])
@pytest.mark.parametrize("body", [TALL, SHORT])
@pytest.mark.parametrize("yaw", [-78.0, 258.0])
def test_a_door_opens_with_the_hand_on_its_handle(style: Style, body: Body, yaw: float) -> None:
    opener, door = made("open_door", style=style, body=body, yaw=yaw)
    assert isinstance(door, Door)
    angles = np.array([door.angle_at(at) for at in np.linspace(0, 2, 41)])
    assert angles[0] == 0
    assert angles[-1] > 70
    assert (np.diff(angles) >= 0).all()
    turning = [at for at in np.linspace(0, 2, 41) if 1 < door.angle_at(at) < 25]
    assert len(turning) > 3
    for at in turning:
        knobs = [part.points for part in door.parts_at(at)[-2:]]
        assert (
            min(np.linalg.norm(wrists(opener, at)[:, None] - knob[None], axis=-1).min() for knob in knobs)
            < 0.15
        )
    for at in (0.0, 1.0, 2.0):  # beside the opener: neither hides the other
        leaf = door.parts_at(at)[3].points[:, 0]
        trunk = opener.joints_at(at)[[J["neck"], J["pelvis"]], 0]
        assert leaf.min() > trunk.max() + 0.05 or leaf.max() < trunk.min() - 0.05
    closed, opened = (np.ptp(door.parts_at(at)[3].points[:, 0]) for at in (0.0, 2.0))
    assert closed > 2 * opened  # seen whole, then its edge


@pytest.mark.parametrize("style", [FLOOR, TABLE])
def test_closing_a_door_is_opening_it_in_reversed_time(style: Style) -> None:
    opener, door = made("open_door", style=style, yaw=-78.0)
    closer, other = made("close_door", style=style, yaw=-78.0)
    assert isinstance(door, Door)
    assert isinstance(other, Door)
    for at in np.linspace(0, 2, 21):
        assert door.angle_at(at) == pytest.approx(other.angle_at(2 - at))
        assert np.allclose(opener.joints_at(at), closer.joints_at(2 - at))
    for mine, same in zip(door.parts_at(0.7), other.parts_at(1.3), strict=True):
        assert np.allclose(mine.points, same.points)


def test_one_chair_and_one_door_serve_both_ways() -> None:
    rng = np.random.default_rng(3)
    assert [type(thing) for thing in things_for(person("sit_down", "stand_up"), rng)] == [Chair]
    doors = things_for(person("open_door", "stand", "close_door", yaw=-78.0), rng)
    assert [type(thing) for thing in doors] == [Door]
    door = doors[0]
    assert isinstance(door, Door)
    assert door.angle_at(3.0) > 70
    assert door.angle_at(6.0) == 0


def test_nothing_is_needed_to_walk() -> None:
    assert things_for(person("walk"), np.random.default_rng(0)) == []
    with pytest.raises(ValueError, match="nothing is needed to walk"):
        thing_for(person("walk"), 0, np.random.default_rng(0))


def test_a_sitter_sits_on_the_chair() -> None:
    sitter = person("sit_down")
    chair = thing_for(sitter, 0, np.random.default_rng(0))
    assert isinstance(chair, Chair)
    pelvis = sitter.joints_at(2.0)[J["pelvis"]]
    assert np.hypot(pelvis[0] - chair.x_m, pelvis[2] - chair.z_m) < 0.21
    assert 0 < pelvis[1] - chair.seat_m < 0.2


# --- together


@pytest.mark.parametrize("action", ["shake_hands", "hug", "push"])
def test_partners_face_each_other(action: str) -> None:
    first, second = two(action)
    for at in (0.0, 0.6, 1.1):
        mine, theirs = (
            one.joints_at(at)[J["nose"]] - one.joints_at(at)[J["head"]] for one in (first, second)
        )
        between = second.joints_at(at)[J["pelvis"]] - first.joints_at(at)[J["pelvis"]]
        assert mine @ between > 0
        assert theirs @ between < 0


@pytest.mark.parametrize("body", [None, TALL, SHORT])
def test_shaken_hands_meet_and_go_up_and_down(body: Body | None) -> None:
    first, second = two("shake_hands", body)
    times = np.linspace(0.7, 1.5, 60)
    hands = np.array([wrists(one, at)[1] for at in times for one in (first, second)]).reshape(60, 2, 3)
    assert np.linalg.norm(hands[:, 0] - hands[:, 1], axis=-1).max() < 0.1
    turns = np.count_nonzero(np.diff(np.sign(np.diff(hands[:, 0, 1]))))
    assert turns >= 4
    for at in (0.0, 2.0):
        assert np.linalg.norm(wrists(first, at)[1] - wrists(second, at)[1]) > 0.3


def test_who_hugs_comes_near_and_reaches_round() -> None:
    first, second = two("hug")
    gaps = [np.linalg.norm(np.subtract(first.place_at(at)[:2], second.place_at(at)[:2])) for at in (0, 1.2)]
    assert gaps[0] > 1
    assert gaps[1] < 0.4
    forward = np.array((np.cos(np.radians(10)), 0, np.sin(np.radians(10))))
    back = second.joints_at(1.2)[J["neck"]] @ forward
    assert (wrists(first, 1.2) @ forward > back - 0.05).all()


def test_who_is_pushed_goes_back_once_touched() -> None:
    first, second = two("push")
    times = np.linspace(0, 2, 81)
    way = np.array([second.place_at(at)[:2] for at in times])
    gone = np.linalg.norm(way - way[0], axis=1)
    apart = [
        np.linalg.norm(np.subtract(first.place_at(at)[:2], xz)) for at, xz in zip(times, way, strict=True)
    ]
    assert (np.diff(apart) >= -1e-9).all()
    assert gone[-1] > 0.7
    touched = times[np.argmax(gone > 0)]
    chest = second.joints_at(touched)[[J["neck"], J["pelvis"]]]
    chest = chest[0] + 0.25 * (chest[1] - chest[0])
    assert np.linalg.norm(wrists(first, touched) - chest, axis=1).max() < 0.27
    assert first.place_at(0)[:2] == first.place_at(2)[:2]


@pytest.mark.parametrize("action", ["shake_hands", "hug", "push"])
def test_nobody_jerks(action: str) -> None:
    for one in two(action):
        moving = np.stack([one.joints_at(at) for at in np.linspace(0, 2, 201)])
        assert np.linalg.norm(np.diff(moving, axis=0), axis=-1).max() < 0.1  # 10 m/s: a boxer's fist


def test_only_two_can_do_what_takes_two() -> None:
    with pytest.raises(ValueError, match="walk takes one; actions for two are"):
        partner_of(person("walk"), 0, Body(), Style(), track=1)


def test_a_partner_waits_before_and_after() -> None:
    first = person("walk", "shake_hands", "stand")
    second = partner_of(first, 1, Body(), Style(), track=1)
    assert [beat.action for beat in second.beats] == ["stand", "shake_hands", "stand"]
    gap = np.linalg.norm(np.subtract(first.place_at(3.2)[:2], second.place_at(3.2)[:2]))
    assert gap == pytest.approx(0.84, abs=0.01)


# --- acting


def test_a_walker_who_waves_walks_on() -> None:
    plain = person("walk")
    waving = replace(plain, beats=(replace(plain.beats[0], also="wave"),))
    assert waving.beats[0].labels == ("walk", "wave")
    for at in np.linspace(0, 2, 11):
        mine, theirs = plain.joints_at(at), waving.joints_at(at)
        legs = [J[f"{name}_{side}"] for name in ("hip", "knee", "ankle", "toe") for side in "lr"]
        assert np.allclose(mine[legs], theirs[legs])
        assert np.allclose(mine[J["wrist_l"]], theirs[J["wrist_l"]])  # the other arm swings on
        assert theirs[J["wrist_r"], 1] > theirs[J["shoulder_r"], 1]


def test_a_hand_goes_where_it_is_sent() -> None:
    still = ACTIONS["stand"].pose(0, Style())._replace(lean=20, twist=10, roll=-5)
    for place in ((0.2, 0.6, 0.05), (0.1, 0.95, 0.15), (0.15, 0.5, 0.1)):
        joints = skeleton(reaching(still, right=place), Body()) / Body().stature_m
        assert np.allclose(joints[J["wrist_r"]], place, atol=1e-6)
    far = skeleton(reaching(still, right=(2.0, 0.7, 0.1)), Body())
    elbow = far[J["wrist_r"]] - far[J["shoulder_r"]]
    assert np.linalg.norm(elbow) == pytest.approx((0.186 + 0.146) * Body().stature_m, rel=0.01)  # Winter


# --- stage


def drawn(seed: int, *people: Person, passers_by: tuple[Person, ...] = (), follow: float = 0.0) -> Stage:
    rng = np.random.default_rng(seed)
    things = [thing for one in people for thing in things_for(one, rng)] + drawn_clutter(rng)
    return drawn_stage(rng, SIZE, people, things, passers_by=passers_by, follow=follow)


def test_boxes_lie_in_the_frame_and_hold_the_joints() -> None:
    for seed, action in enumerate(("wave", "pick_up", "open_door", "hug")):
        people = (
            two(action)
            if action == "hug"
            else (person(action, yaw=-75.0 if action == "open_door" else -15.0),)
        )
        stage = drawn(seed, *people)
        for at in (0.1, 0.9, 1.7):
            _, truths = stage.frame(at)
            assert len(truths) == len(people)
            for truth in truths:
                x0, y0, x1, y1 = truth.box_xyxy
                assert 0 <= x0 < x1 <= SIZE[1]
                assert 0 <= y0 < y1 <= SIZE[0]
                assert truth.joints_xy.shape == (len(JOINTS), 2)
                assert (truth.joints_xy >= (x0, y0)).all()
                assert (truth.joints_xy <= (x1, y1)).all()
                assert truth.labels == (action,)


@pytest.mark.parametrize("action", ["run", "sit_down", "fall", "pick_up"])
def test_the_box_holds_what_is_drawn_and_no_more(action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    stage = drawn_stage(rng, (120, 160), [person(action, yaw=10.0)], [])
    stage = replace(stage, exposure=Exposure(noise=0))
    times = (0.2, 1.0, 1.8)
    shot = [stage.frame(at) for at in times]
    monkeypatch.setattr(
        "muybridge.data.figures.stage.paint", lambda *_: None
    )  # nobody there, the shadows left
    for at, (whole, truths) in zip(times, shot, strict=True):
        rows, columns = np.nonzero(np.abs(whole - stage.frame(at)[0]).sum(-1) > 0.5)
        x0, y0, x1, y1 = truths[0].box_xyxy
        assert x0 < columns.min() + 1
        assert columns.max() < x1
        assert y0 < rows.min() + 1
        assert rows.max() < y1
        assert max(columns.min() - x0, x1 - columns.max(), rows.min() - y0, y1 - rows.max()) < 3


def test_zoom_and_pan_keep_people_in_the_picture() -> None:
    zoomed = 0
    for seed in range(12):
        stage = drawn(seed, person("wave", yaw=90.0), follow=0.5 * (seed % 2))
        zoomed += stage.handling.zoom > 0
        focal = [stage.camera_at(at).focal for at in np.linspace(0, 2, 9)]
        assert max(focal) / min(focal) < 1.4
        for at in np.linspace(0, 2, 5):
            joints = np.array(stage.camera_at(at).spots(stage.people[0].joints_at(at)))[:, :2]
            assert (joints > 0).all()
            assert (joints < (SIZE[1], SIZE[0])).all()
    assert zoomed > 1


def test_the_floor_stays_under_the_feet_while_the_camera_zooms_and_pans() -> None:
    """A dark line across the painted floor is where a point on that line is seen."""
    rng = np.random.default_rng(0)
    camera = Camera(width=160, height=120, focal=200, eye_m=1.3, away_m=5.0, wall_m=2.5, horizon=50)
    room = Backdrop(rng, camera, 1.0, outdoors=False)
    room._image[:] = 200
    row = int(camera.spots(np.zeros((1, 3)))[0][1])
    room._image[row + 6, :] = 0  # painted with a margin of 6 rows
    for seen in (camera, camera.zoomed(1.3), replace(camera.zoomed(1.2), shake=(2.0, 3.0), x_m=0.4)):
        x, y, _ = seen.spots(np.zeros((1, 3)))[0]
        dark = (200 - room.seen(seen)[:, int(x), 0]).astype(float)
        assert (dark * (np.arange(120) + 0.5)).sum() / dark.sum() == pytest.approx(y, abs=1.0)


def test_passers_by_are_seen_and_in_no_truth() -> None:
    somebody = replace(person("wave", yaw=90.0), x_m=-1.0, track=4)
    passer_by = replace(person("walk", yaw=0.0), x_m=0.2, z_m=-1.0)
    alone = drawn(5, somebody)
    alone = replace(alone, exposure=Exposure(noise=0), handling=Handling())
    crowded = replace(alone, passers_by=(passer_by,))
    (image, truths), (empty, same) = crowded.frame(0.5), alone.frame(0.5)
    assert [truth.track for truth in truths] == [4]
    assert np.allclose(truths[0].joints_xy, same[0].joints_xy)
    assert np.abs(image - empty).max() > 20


def test_few_pass_by_and_they_are_not_taken_for_whom_it_is_about() -> None:
    rng = np.random.default_rng(0)
    films, passed, before = 600, 0, 0
    for _ in range(films):
        somebody = replace(person("run", yaw=0.0), body=Body.drawn(rng))
        found = drawn_passers_by(rng, 2.0, [somebody])
        assert len(found) <= 1
        for other in found:
            passed += 1
            before += other.z_m > 0
            assert gap(other.body.shirt, somebody.body.shirt) > 40
            assert gap(other.body.hair, somebody.body.hair) > 20
            assert other.place_at(2.0)[0] < other.x_m  # against who runs to the right, so soon gone
    assert 0.15 < passed / films < 0.25
    assert before / films < 0.05


def test_colours_are_as_far_apart_as_they_look() -> None:
    black, white = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
    assert gap(black, white) == pytest.approx(255)
    assert gap(white, white) == 0
    # BT.601: of pure red and pure green the luma is 0.299 and 0.587.
    assert gap((255, 0, 0), (0, 255, 0)) > 255 * (0.587 - 0.299)
    greys = iter((10.0, 90.0, 140.0, *[0.0] * 30))
    assert clear_of([black, white], 110, lambda: (next(greys),) * 3) == (140.0,) * 3
    greys = iter((10.0, 90.0, 50.0, *[0.0] * 30))
    assert clear_of([black, white], 200, lambda: (next(greys),) * 3) == (90.0,) * 3  # the best there was


def test_people_stand_out_from_wall_and_floor_and_their_hands_from_their_shirts() -> None:
    """Where joints are seen, with and without the person, and how far the two colours are apart."""
    rng, apart = np.random.default_rng(2), []
    for seed in range(24):
        body = Body.drawn(rng)
        assert gap(body.shirt, body.skin) > 40
        stage = drawn_stage(np.random.default_rng(seed), SIZE, [person("walk", yaw=0.0, body=body)], [])
        stage = replace(stage, exposure=Exposure(noise=0), handling=Handling())
        (image, truths), (empty, _) = stage.frame(0.3), replace(stage, people=()).frame(0.3)
        spots = truths[0].joints_xy.astype(int)
        pairs = ((image[y, x].tolist(), empty[y, x].tolist()) for x, y in spots)
        apart.append(np.median([gap(tuple(one), tuple(other)) for one, other in pairs]))
        assert empty.mean() > 75
    assert min(apart) > 18
    assert np.mean(apart) > 50


def test_who_stands_behind_somebody_is_hardly_visible() -> None:
    before, behind = (
        replace(person("stand", yaw=90.0), x_m=x, z_m=z, track=k)
        for k, (x, z) in enumerate(((0, 0.3), (0, -0.4)))
    )
    aside = replace(behind, x_m=1.0, track=2)
    stage = Stage(
        camera=Camera(width=160, height=120, focal=200, eye_m=1.3, away_m=5.0, wall_m=2.5, horizon=50),
        backdrop=drawn(0, before).backdrop,
        people=(before, behind, aside),
    )
    stage = replace(stage, backdrop=Backdrop(np.random.default_rng(0), stage.camera, 1.0, outdoors=True))
    seen = {truth.track: truth.visible for truth in stage.frame(0.0)[1]}
    assert seen[0] > 0.95
    assert seen[1] < 0.4
    assert seen[2] > 0.95
    half = replace(stage, people=(replace(before, x_m=2.0),))
    (truth,) = half.frame(0.0)[1]
    assert 0 < truth.visible < 0.9
    gone = replace(stage, people=(replace(before, x_m=9.0),))
    (truth,) = gone.frame(0.0)[1]
    assert truth.visible == 0


def test_a_frame_does_not_depend_on_what_was_drawn_before() -> None:
    def room() -> Stage:
        walker = replace(person("walk", yaw=0.0), x_m=-1.0)
        return drawn(11, walker, *two("push"), follow=0.4)

    def truth_of(truths: list[Truth]) -> list[tuple[float, ...]]:
        return [(*truth.box_xyxy, truth.visible) for truth in truths]

    times = (0.2, 1.5, 0.9)
    first, second = room(), room()
    forwards = {at: first.frame(at) for at in times}
    for at in reversed(times):
        image, truths = second.frame(at)
        assert np.array_equal(image, forwards[at][0])
        assert truth_of(truths) == truth_of(forwards[at][1])


def test_tables_and_chairs_stand_on_the_floor() -> None:
    for thing in (
        Table(x_m=0.3, z_m=0.0, yaw=30, top_m=0.6, colour=(90, 60, 30)),
        Chair(x_m=0.3, z_m=0.0, yaw=120),
    ):
        points = np.concatenate([part.points for part in thing.parts_at(0.0)])
        assert points[:, 1].min() == pytest.approx(0, abs=0.01)
        assert np.abs(points[:, 0] - 0.3).max() < 0.6
