"""People, things, light and a camera put together: any moment of a film as a frame, and the truth about it.

A `Stage` is a function of time: nothing moves on from frame to frame, so frames may be drawn in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import sin

import numpy as np

from muybridge.data.figures.acting import Person
from muybridge.data.figures.backdrop import Backdrop, Camera
from muybridge.data.figures.body import Floats
from muybridge.data.figures.brush import Box, Image, Light, cast, paint
from muybridge.data.figures.bystanders import INDOORS
from muybridge.data.figures.colours import Colour, gap
from muybridge.data.figures.flesh import Painted, body_shadow, body_shapes, on_floor, rounded
from muybridge.data.figures.framing import Handling, framed
from muybridge.data.figures.furniture import Part, Thing, darker
from muybridge.data.figures.props import Carried, Door
from muybridge.data.figures.rooms import CLEAR, GRASS, HILLS
from muybridge.data.figures.sight import Group, unhidden


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true of one person in one frame.

    Attributes:
        track: The person's number.
        labels: What the person is doing; two where the arms do something of their own.
        box_xyxy: Round everything drawn of the person, in pixels, cut at the frame.
        joints_xy: (n, 2), in pixels, in the order of `JOINTS`.
        visible: About how much of the person is to be seen, 0..1: neither cut off by the frame nor hidden.
    """

    track: int
    labels: tuple[str, ...]
    box_xyxy: Box
    joints_xy: Floats
    visible: float

    @property
    def action(self) -> str:
        """The first label."""
        return self.labels[0]


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How light becomes numbers: brightness, colour cast, slow drift, a lamp that flickers, noise of the sensor."""

    brightness: float = 1.0
    warmth: float = 0.0
    drift: float = 0.0
    flicker: float = 0.0
    noise: float = 3.0
    seed: int = 0

    def developed(self, image: Image, time_s: float) -> Image:
        """The image (h, w, 3) as the camera records it, 0..255; written over."""
        gain = self.brightness * (1 + 0.012 * sin(time_s * 9) + self.drift * sin(0.9 * time_s + self.seed))
        gain *= 1 - self.flicker * max(0.0, sin(23 * time_s + self.seed) * sin(7.1 * time_s))
        image *= np.float32(gain) * np.asarray((1 + self.warmth, 1, 1 - self.warmth), np.float32)
        if self.noise:
            # Seeded by the moment, so that one frame drawn alone equals the same one drawn in its turn.
            rng = np.random.default_rng((self.seed, round(time_s * 1000)))
            grain = rng.integers(-127, 128, image.shape[:2], np.int8)
            image += grain[..., None] * np.float32(self.noise / 73)
        return np.clip(image, 0, 255, out=image)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """All that decides a film. Passers-by are people of whom the truth says nothing."""

    camera: Camera
    backdrop: Backdrop
    people: Sequence[Person]
    things: Sequence[Thing] = ()
    passers_by: Sequence[Person] = ()
    light: Light = field(default_factory=Light)
    handling: Handling = field(default_factory=Handling)
    exposure: Exposure = field(default_factory=Exposure)

    def frame(self, time_s: float) -> tuple[Image, list[Truth]]:
        """The picture at a time, float (h, w, 3) in 0..255, and the truth about each person."""
        camera = self.camera_at(time_s)
        image = self.backdrop.seen(camera)
        shadow = np.zeros(image.shape[:2], np.float32)
        drawn, skeletons = [], []
        for person in (*self.people, *self.passers_by):
            joints = person.joints_at(time_s)
            skeletons.append(joints)
            drawn.append(Group.of(body_shapes(person.body, joints, camera)))
            body_shadow(joints, person.body, camera, self.light, shadow)
        for thing in self.things:
            drawn.append(Group.of(_thing_shapes(thing.parts_at(time_s), camera, self.light, shadow)))
        image *= (1 - np.float32(0.42) * shadow)[..., None]
        far_to_near = sorted((one for group in drawn for one in group.shapes), key=lambda item: item[0])
        for _, shape, colour in far_to_near:
            paint(image, shape, colour, self.light)
        truths = [
            _truth(person, time_s, skeletons[k], drawn[k], drawn[:k] + drawn[k + 1 :], camera)
            for k, person in enumerate(self.people)
        ]
        return self.exposure.developed(image, time_s), truths

    def camera_at(self, time_s: float) -> Camera:
        """The camera as it is held at a time."""
        return self.handling.held(self.camera, self.people[0] if self.people else None, time_s)


def drawn_stage(
    rng: np.random.Generator,
    size: tuple[int, int],
    people: Sequence[Person],
    things: Sequence[Thing],
    *,
    passers_by: Sequence[Person] = (),
    follow: float = 0.0,
    reach_m: float = 3.0,
) -> Stage:
    """A room or landscape, light and a camera for these people, who stay in the picture as far as can be.

    Args:
        rng: Decides everything else.
        size: Height and width of the frames, in pixels.
        people: Whom the film is about; the camera follows the first.
        things: What is used, and what stands about.
        passers_by: Whom the film is not about.
        follow: The share of the first person's way that the camera goes along.
        reach_m: How far the camera goes to either side at most.
    """
    camera = Camera.drawn(rng, *size)
    x, y = rng.uniform(-0.6, 0.6), rng.uniform(-0.7, -0.4)
    light = Light(x, y, float(np.sqrt(1 - x * x - y * y)), rng.uniform(0.4, 0.62))
    pan_m = rng.uniform(0.05, 0.3) * (rng.random() < 0.3)
    handling = Handling(
        follow=follow,
        reach_m=reach_m if follow else pan_m,
        pan_m=pan_m,
        zoom=rng.uniform(0.06, 0.35) * (rng.random() < 0.4),
        sway_s=rng.uniform(5, 12),
        since=rng.random(),
        shake=rng.uniform(0.2, 1.6) * size[0] / 120 * (rng.random() < 0.4),
    )
    camera, handling = framed(camera, handling, people, things)
    shown = _shown(people, things)
    outdoors = bool(rng.random() < 0.35) and not any(isinstance(thing, INDOORS) for thing in things)
    outdoors = outdoors and all(gap(one, green) > 0.7 * CLEAR for one in shown for green in (HILLS, GRASS))
    return Stage(
        camera=camera,
        backdrop=Backdrop(rng, camera, handling.reach_m, outdoors=outdoors, beside=shown),
        people=people,
        things=things,
        passers_by=passers_by,
        light=light,
        handling=handling,
        exposure=Exposure(
            brightness=rng.uniform(0.92, 1.18),
            warmth=rng.uniform(-0.07, 0.09),
            drift=rng.uniform(0.02, 0.14) * (rng.random() < 0.3),
            flicker=rng.uniform(0.08, 0.25) * (rng.random() < 0.06),
            noise=rng.uniform(0, 4.5),
            seed=int(rng.integers(2**31)),
        ),
    )


def _shown(people: Sequence[Person], things: Sequence[Thing]) -> list[Colour]:
    """The colours, as the light leaves them, that must be seen before wall and floor."""
    worn = [colour for one in people for colour in (one.body.shirt, one.body.trousers, one.body.skin)]
    used = [thing.colour for thing in things if isinstance(thing, (Carried, Door))]
    return [darker(colour, 0.85) for colour in worn + used]


def _thing_shapes(parts: Sequence[Part], camera: Camera, light: Light, mask: Image) -> list[Painted]:
    shapes: list[Painted] = []
    eye = np.array((camera.x_m, camera.eye_m, camera.away_m))
    for points, radius_m, colour, nearer, normal, shades in parts:
        if shades:
            floor = camera.spots(on_floor(points, light))
            cast(mask, [rounded(spot, 0.7 * radius_m) for spot in floor], 0.02 * floor[0][2] + 0.5)
        if normal is not None:
            middle = points.mean(0)
            if normal @ (eye - middle) <= 0:
                continue
            colour = _lit(colour, normal, light)
        shape = [rounded(spot, radius_m) for spot in camera.spots(points)]
        shapes.append((float(points[:, 2].mean()) + nearer, shape, colour))
    return shapes


def _lit(colour: Colour, normal: Floats, light: Light) -> Colour:
    """The colour of a flat side; the brush will shade it as if it faced us, which is undone here."""
    falls = max(0.0, float(normal @ (light.x, -light.y, light.z)))
    share = (falls * (1.08 - light.ambient) + light.ambient) / (
        light.z * (1.08 - light.ambient) + light.ambient
    )
    red, green, blue = (share * c for c in colour)
    return red, green, blue


def _truth(
    person: Person, time_s: float, joints: Floats, own: Group, others: Sequence[Group], camera: Camera
) -> Truth:
    left, top, right, bottom = own.box
    box = (max(0.0, left), max(0.0, top), min(camera.width, right), min(camera.height, bottom))
    if box[0] >= box[2] or box[1] >= box[3]:
        box = (0.0, 0.0, 0.0, 0.0)  # out of the picture
    inside = (box[2] - box[0]) * (box[3] - box[1]) / ((right - left) * (bottom - top))
    spots = np.array(camera.spots(joints))[:, :2]
    return Truth(
        track=person.track,
        labels=person.beats[person.beat_at(time_s)].labels,
        box_xyxy=box,
        joints_xy=spots,
        visible=inside * unhidden(spots, joints[:, 2], own, others),
    )
