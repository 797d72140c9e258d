"""A body as painted shapes and as a shadow: flesh and clothes round the joints of a skeleton."""

from __future__ import annotations

from math import hypot

import numpy as np

from muybridge.data.figures.backdrop import Camera
from muybridge.data.figures.body import Body, Floats, J
from muybridge.data.figures.brush import Image, Light, Shape, cast
from muybridge.data.figures.colours import Colour

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
            (("wrist",), (0.029,), "skin", 0.01),
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


def body_shapes(body: Body, joints: Floats, camera: Camera) -> list[Painted]:
    """What is drawn of a body whose joints (n, 3) are in the world."""
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
        shape = [rounded(spots[k], radius * unit) for k, radius in zip(index, radii, strict=True)]
        shapes.append((sum(depth[k] for k in index) / len(index) + nearer, shape, colours[wears]))
    trunk = range(len(J), len(J) + 4)
    shape = [rounded(spots[k], 0.051 * unit) for k in trunk]
    shapes.append((sum(depth[k] for k in trunk) / 4, shape, body.shirt))
    size, first = body.stature_m * body.head, trunk[-1] + 1
    # Skull, hair over it, and the face over the hair wherever it doesn't look away from us.
    features: tuple[tuple[tuple[int, ...], float, Colour, float], ...] = (
        ((0, 1), 0.053, body.skin, 0.0),
        ((2, 3, 4), 0.047, body.hair, 0.011 * size),
        ((5,), 0.042, body.skin, 0.012 * size),
        ((6,), 0.015, body.skin, 0.012 * size),
    )
    if depth[first + 7] + depth[first + 8] > 2 * depth[J["head"]] + 0.7 * EYE * size:
        features += (((7,), 0.0068, DARK, 0.012 * size), ((8,), 0.0068, DARK, 0.012 * size))
    for offsets, radius, colour, nearer in features:
        index = [first + k for k in offsets]
        shape = [rounded(spots[k], radius * size) for k in index]
        shapes.append((sum(depth[k] for k in index) / len(index) + nearer, shape, colour))
    return shapes


def rounded(spot: Spot, radius_m: float) -> tuple[float, float, float]:
    """A corner of a shape where a point is seen, with a radius in metres."""
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
    """Chin, crown, three of hair (the last in the nape: it says where somebody looks), face, nose, two eyes."""
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
            head - 0.008 * forward + 0.034 * up,
            head - 0.034 * forward + 0.012 * up,
            head - 0.036 * forward - 0.01 * up,
            head + 0.022 * forward - 0.012 * up,
            nose - 0.004 * forward,
            eyes - 0.019 * side,
            eyes + 0.019 * side,
        )
    )


def _unit(vector: Floats) -> Floats:
    return vector / max(hypot(*vector), 1e-9)


def body_shadow(joints: Floats, body: Body, camera: Camera, light: Light, mask: Image) -> None:
    """Darken `mask` (h, w) where the body keeps light from the floor."""
    spots = camera.spots(on_floor(joints, light))
    flat = 0.7 * body.stature_m * body.girth  # a disc on the floor is seen as a low ellipse
    for a, b, radius in SHADOWS:
        shape = [rounded(spots[J[a]], radius * flat), rounded(spots[J[b]], radius * flat)]
        cast(mask, shape, 0.02 * spots[J[a]][2] + 0.5)


def on_floor(points: Floats, light: Light) -> Floats:
    """Where the light's shadow of each point falls."""
    shadow = points.copy()
    shadow[:, 0] -= 0.6 * light.x / abs(light.y) * points[:, 1]
    shadow[:, 2] -= 0.35 * points[:, 1]
    shadow[:, 1] = 0
    return shadow
