"""Where must an arm bend for its hand to be somewhere? Two-link inverse kinematics.

Curves know no body, so hands are aimed with the arms of an average one. In units of stature others miss by the
share by which their arms are longer: two or three centimetres, less than a hand.
"""

from __future__ import annotations

from math import acos, asin, atan2, cos, degrees, hypot

import numpy as np

from muybridge.data.figures.body import FOREARM, UPPER_ARM, Body, J, Pose, skeleton, trunk_axes

Place = tuple[float, float, float]  # in the body's axes and in statures: forward, up, to the right hand
AVERAGE = Body()
ARM_FIELDS = ("shoulder", "spread", "elbow", "fold")


def reaching(pose: Pose, *, left: Place | None = None, right: Place | None = None) -> Pose:
    """The pose with its wrists at these places, or as near as the arms are long; None leaves an arm as it is."""
    joints, axes = skeleton(pose, AVERAGE) / AVERAGE.stature_m, trunk_axes(pose)
    for side, sign, place in (("l", -1, left), ("r", 1, right)):
        if place is None:
            continue
        forward, up, aside = (axes.T @ (np.asarray(place) - joints[J[f"shoulder_{side}"]])).tolist()
        spread = asin(min(0.95, max(-0.95, sign * aside / (UPPER_ARM + FOREARM))))
        upper, fore = UPPER_ARM * cos(spread), FOREARM * cos(spread)
        far = min((upper + fore) * 0.999, max(hypot(forward, up), (upper - fore) + 0.02))
        elbow = np.pi - acos((upper**2 + fore**2 - far**2) / (2 * upper * fore))
        behind = acos((upper**2 + far**2 - fore**2) / (2 * upper * far))
        shoulder = atan2(forward, -up) - behind
        angles = (degrees(shoulder), degrees(spread), degrees(elbow), 0.0)
        pose = pose._replace(**{f"{n}_{side}": v for n, v in zip(ARM_FIELDS, angles, strict=True)})
    return pose


def arms_of(pose: Pose, other: Pose, sides: str = "lr") -> Pose:
    """The pose with the arms of the other."""
    return pose._replace(**{f"{n}_{s}": getattr(other, f"{n}_{s}") for n in ARM_FIELDS for s in sides})
