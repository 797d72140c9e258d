"""People, chairs, light and a camera put together: any moment of a film as a frame, and the truth about it.

A `Stage` is a function of time: nothing moves on from frame to frame, so frames may be drawn in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import hypot, sin

import numpy as np

from muybridge.data.figures.acting import Person, placed
from muybridge.data.figures.backdrop import Backdrop, Camera
from muybridge.data.figures.body import Body, Colour, Floats, J
from muybridge.data.figures.brush import Image, Light, Shape, box_of, cast, paint


@dataclass(frozen=True, kw_only=True)
class Chair:
    """A chair, its seat's middle at (x, z), the sitter looking along `yaw`."""

    x_m: float
    z_m: float
    yaw: float
    seat_m: float = 0.45
    colour: Colour = (120, 80, 50)


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true of one person in one frame.

    Attributes:
        action: What the person is doing.
        box_xyxy: Round everything drawn of the person, in pixels, cut at the frame.
        joints_xy: (n, 2), in pixels, in the order of `JOINTS`.
    """

    action: str
    box_xyxy: tuple[float, float, float, float]
    joints_xy: Floats


@dataclass(frozen=True, kw_only=True)
class Stage:
    """All that decides a film. `follow` is the share of the first person's way that the camera goes along."""

    camera: Camera
    backdrop: Backdrop
    people: Sequence[Person]
    chairs: Sequence[Chair] = ()
    light: Light = field(default_factory=Light)
    brightness: float = 1.0
    warmth: float = 0.0
    noise: float = 3.0
    shake: float = 0.0
    follow: float = 0.0
    reach_m: float = 3.0
    seed: int = 0

    def frame(self, time_s: float) -> tuple[Image, list[Truth]]:
        """The picture at a time, float (h, w, 3) in 0..255, and the truth about each person."""
        camera = self._camera_at(time_s)
        image = self.backdrop.seen(camera)
        shapes, truths, shadow = [], [], np.zeros(image.shape[:2], np.float32)
        for chair in self.chairs:
            shapes += _chair_shapes(chair, camera, self.light, shadow)
        for person in self.people:
            joints = person.joints_at(time_s)
            flesh = _body_shapes(person.body, joints, camera)
            _body_shadow(joints, person.body, camera, self.light, shadow)
            truths.append(_truth(person.beats[person.beat_at(time_s)].action, flesh, joints, camera))
            shapes += flesh
        image *= (1 - np.float32(0.42) * shadow)[..., None]
        for _, shape, colour in sorted(shapes, key=lambda item: item[0]):
            paint(image, shape, colour, self.light)
        return self._developed(image, time_s), truths

    def _camera_at(self, time_s: float) -> Camera:
        x, _, _ = self.people[0].place_at(time_s)
        x = min(self.reach_m, max(-self.reach_m, self.follow * x))
        jitter = [sum(sin(time_s * rate + k) for rate in (3.1, 7.3, 12.7)) / 2 for k in (0, 2)]
        return replace(self.camera, x_m=x, shake=(self.shake * jitter[0], self.shake * jitter[1]))

    def _developed(self, image: Image, time_s: float) -> Image:
        """Colour cast, flicker and the sensor's noise."""
        gain = self.brightness * (1 + 0.012 * sin(time_s * 9))
        image *= np.float32(gain) * np.asarray((1 + self.warmth, 1, 1 - self.warmth), np.float32)
        if self.noise:
            # Seeded by the moment, so that one frame drawn alone equals the same one drawn in its turn.
            rng = np.random.default_rng((self.seed, round(time_s * 1000)))
            grain = rng.integers(-127, 128, image.shape[:2], np.int8)
            image += grain[..., None] * np.float32(self.noise / 73)
        return np.clip(image, 0, 255, out=image)


Painted = tuple[float, Shape, Colour]  # nearness in metres, shape, colour
Spot = tuple[float, float, float]  # x and y in pixels, pixels per metre

# What is drawn between which joints: radii as fractions of stature, what it wears, and how much nearer it
# counts than it is, so that a hand lies on its sleeve.
LIMBS = (
    (("neck", "head"), (0.03, 0.03), "skin", 0.0),
    (("hip_l", "hip_r"), (0.051, 0.051), "trousers", 0.0),
    *(
        (tuple(f"{name}_{side}" for name in names), radii, wears, nearer)
        for side in "lr"
        for names, radii, wears, nearer in (
            (("shoulder", "elbow"), (0.031, 0.025), "shirt", 0.0),
            (("elbow", "wrist"), (0.024, 0.017), "sleeve", 0.005),
            (("wrist",), (0.024,), "skin", 0.01),
            (("hip", "knee"), (0.05, 0.035), "trousers", 0.0),
            (("knee", "ankle"), (0.034, 0.022), "leg", 0.0),
            (("ankle", "toe"), (0.025, 0.021), "shoes", 0.0),
        )
    ),
)
SHADOWS = (
    *(("neck", "pelvis", 0.07), ("head", "neck", 0.05)),
    *(
        (f"{a}_{side}", f"{b}_{side}", radius)
        for side in "lr"
        for a, b, radius in (("hip", "knee", 0.045), ("knee", "toe", 0.03), ("shoulder", "wrist", 0.026))
    ),
)


def _body_shapes(body: Body, joints: Floats, camera: Camera) -> list[Painted]:
    points = np.concatenate((joints, _trunk_corners(body, joints), _head_points(body, joints)))
    spots, depth = camera.spots(points), points[:, 2].tolist()
    colours = {
        **{name: getattr(body, name) for name in ("skin", "shirt", "trousers", "shoes")},
        "sleeve": body.shirt if body.long_sleeves else body.skin,
        "leg": body.skin if body.shorts else body.trousers,
    }
    unit = body.stature_m * body.girth
    shapes: list[Painted] = []
    for names, radii, wears, nearer in LIMBS:
        index = [J[name] for name in names]
        shape = [_round(spots[k], radius * unit) for k, radius in zip(index, radii, strict=True)]
        shapes.append((sum(depth[k] for k in index) / len(index) + nearer, shape, colours[wears]))
    trunk = range(len(J), len(J) + 4)
    shape = [_round(spots[k], 0.051 * unit) for k in trunk]
    shapes.append((sum(depth[k] for k in trunk) / 4, shape, body.shirt))
    size, first = body.stature_m * body.head, trunk[-1] + 1
    # Skull, hair over it, and the face over the hair wherever it doesn't look away from us.
    features: tuple[tuple[tuple[int, ...], float, Colour, float], ...] = (
        ((0, 1), 0.053, body.skin, 0.0),
        ((2, 3), 0.047, body.hair, 0.011 * size),
        ((4,), 0.040, body.skin, 0.012 * size),
        ((5,), 0.011, body.skin, 0.012 * size),
    )
    if depth[first + 6] + depth[first + 7] > 2 * depth[J["head"]] + 0.7 * EYE * size:
        features += (((6,), 0.0068, DARK, 0.012 * size), ((7,), 0.0068, DARK, 0.012 * size))
    for offsets, radius, colour, nearer in features:
        index = [first + k for k in offsets]
        shape = [_round(spots[k], radius * size) for k in index]
        shapes.append((sum(depth[k] for k in index) / len(index) + nearer, shape, colour))
    return shapes


def _round(spot: Spot, radius_m: float) -> tuple[float, float, float]:
    return spot[0], spot[1], radius_m * spot[2]


def _trunk_corners(body: Body, joints: Floats) -> Floats:
    """Four points in the flesh of shoulders and hips; the joints themselves lie at the trunk's edges."""
    left, right = joints[J["shoulder_l"]], joints[J["shoulder_r"]]
    low_left, low_right = joints[J["hip_l"]], joints[J["hip_r"]]
    up = 0.045 * body.stature_m * _unit(joints[J["neck"]] - joints[J["pelvis"]])
    return np.stack(
        (
            left + 0.2 * (right - left) - 0.5 * up,
            right + 0.2 * (left - right) - 0.5 * up,
            low_right + 0.15 * (low_left - low_right) + up,
            low_left + 0.15 * (low_right - low_left) + up,
        )
    )


EYE = 0.047  # from the middle of the head forward
DARK: Colour = (30, 26, 26)


def _head_points(body: Body, joints: Floats) -> Floats:
    """Chin, crown, two of hair, face, nose, two eyes."""
    size = body.stature_m * body.head
    head, nose = joints[J["head"]], joints[J["nose"]]
    forward = _unit(nose - head) * size
    up = _unit(head - joints[J["neck"]]) * size
    side = _unit(joints[J["shoulder_r"]] - joints[J["shoulder_l"]]) * size
    eyes = head + EYE * forward + 0.008 * up
    return np.stack(
        (
            head - 0.016 * up,
            head + 0.01 * up,
            head - 0.004 * forward + 0.034 * up,
            head - 0.03 * forward + 0.014 * up,
            head + 0.018 * forward - 0.012 * up,
            nose - 0.008 * forward,
            eyes - 0.019 * side,
            eyes + 0.019 * side,
        )
    )


def _unit(vector: Floats) -> Floats:
    return vector / max(hypot(*vector), 1e-9)


def _body_shadow(joints: Floats, body: Body, camera: Camera, light: Light, mask: Image) -> None:
    spots = camera.spots(_on_floor(joints, light))
    flat = 0.7 * body.stature_m * body.girth  # a disc on the floor is seen as a low ellipse
    for a, b, radius in SHADOWS:
        shape = [_round(spots[J[a]], radius * flat), _round(spots[J[b]], radius * flat)]
        cast(mask, shape, 0.02 * spots[J[a]][2] + 0.5)


def _on_floor(points: Floats, light: Light) -> Floats:
    """Where the light's shadow of each point falls."""
    shadow = points.copy()
    shadow[:, 0] -= 0.6 * light.x / abs(light.y) * points[:, 1]
    shadow[:, 2] -= 0.35 * points[:, 1]
    shadow[:, 1] = 0
    return shadow


def _chair_shapes(chair: Chair, camera: Camera, light: Light, mask: Image) -> list[Painted]:
    half, seat, top = 0.21, chair.seat_m, chair.seat_m + 0.45
    corners = [(-half, -half), (-half, half), (half, half), (half, -half)]
    feet = [((x, 0.0, z), (x, seat, z)) for x, z in corners]
    dark: Colour = tuple(0.75 * c for c in chair.colour)  # type: ignore[assignment]
    parts: list[tuple[Sequence[tuple[float, float, float]], float, Colour]] = [
        *((leg, 0.018, dark) for leg in feet),
        ([(x, seat - 0.02, z) for x, z in corners], 0.025, chair.colour),
        ([(-half, seat, -half), (-half - 0.05, top, -half)], 0.018, dark),
        ([(-half, seat, half), (-half - 0.05, top, half)], 0.018, dark),
        (
            [(-half - 0.03, top - 0.22, -half), (-half - 0.03, top - 0.22, half),
             (-half - 0.05, top, half), (-half - 0.05, top, -half)],
            0.02,
            chair.colour,
        ),
    ]  # fmt: skip
    shapes: list[Painted] = []
    for points, radius, colour in parts:
        world = placed(np.array(points), chair.x_m, chair.z_m, chair.yaw)
        shape = [_round(spot, radius) for spot in camera.spots(world)]
        # A sitter's thighs lie on the seat, not in it.
        shapes.append((float(world[:, 2].mean()) - (0.12 if points[0][1] < seat + 0.1 else 0), shape, colour))
        if len(points) > 2:  # the shadows of legs and posts are too thin to be missed
            floor = camera.spots(_on_floor(world, light))
            cast(mask, [_round(spot, 0.7 * radius) for spot in floor], 0.02 * floor[0][2] + 0.5)
    return shapes


def _truth(action: str, flesh: list[Painted], joints: Floats, camera: Camera) -> Truth:
    boxes = [box_of(shape) for _, shape, _ in flesh]
    box = (
        min(max(0.0, min(box[0] for box in boxes)), camera.width),
        min(max(0.0, min(box[1] for box in boxes)), camera.height),
        max(0.0, min(camera.width, max(box[2] for box in boxes))),
        max(0.0, min(camera.height, max(box[3] for box in boxes))),
    )
    return Truth(action=action, box_xyxy=box, joints_xy=np.array(camera.spots(joints))[:, :2])
