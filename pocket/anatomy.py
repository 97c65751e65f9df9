"""From a scene to its solids: tapered capsules in image coordinates.

Animal frame: x towards the head, y up, z towards the animal's right; lengths in units of a horse's trunk. Image
frame: x right and y down in 0..1, z towards the viewer, orthographic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .scene import PARTS, Scene
from .species import PROPORTIONS, Proportions

Vector = np.ndarray


class Slot(NamedTuple):
    """Which part a capsule belongs to, and which stretch `first .. first + span` of that part's 0..1 length it
    covers.
    """

    part: str
    instance: int
    first: float = 0.0
    span: float = 1.0


_LEGS = range(4)
SLOTS: tuple[Slot, ...] = (
    Slot("body", 0),
    Slot("neck", 0),
    Slot("head", 0, 0.0, 0.5),
    Slot("head", 0, 0.5, 0.5),
    Slot("ears", 0),
    Slot("ears", 1),
    *(Slot("legs", leg, half, 0.5) for leg in _LEGS for half in (0.0, 0.5)),
    Slot("tail", 0),
)
"""The same capsules in the same order for every scene. Instances: ear right, left; leg front right, front left,
hind right, hind left.
"""

SLOT_PARTS = tuple(PARTS.index(slot.part) for slot in SLOTS)

_YAW = (0.0, -26.0, 26.0, 180.0, 206.0, 154.0)
_ELEVATION = 8.0
_FRAME_WIDTH, _FRAME_HEIGHT, _FEET = 0.95, 0.90, 0.95


@dataclass(frozen=True)
class Solids:
    """The K capsules of SLOTS in image coordinates: `start`, `end` [K, 3], `radii` [K, 2], and the frame `up`,
    `side` [K, 3] at right angles to each capsule's axis, from which the angle around it is measured. `foot` is the
    ground under the animal (x, y) and `width` its half length on the ground.
    """

    start: Vector
    end: Vector
    radii: Vector
    up: Vector
    side: Vector
    foot: tuple[float, float]
    width: float


def solids(scene: Scene) -> Solids:
    """Pose the species' capsules, turn them to the scene's view and fit them into the image."""
    start, end, radii = _pose(scene)
    axis = _unit(end - start)
    right = np.broadcast_to(np.array([0.0, 0.0, 1.0]), axis.shape)
    side = _unit(right - (right * axis).sum(1, keepdims=True) * axis)
    up = np.cross(side, axis)
    turn = _view(scene)
    start, end = start @ turn.T, end @ turn.T
    scale, shift = _fit(scene, start, end, radii)
    feet_x = [end[i, 0] for i, slot in enumerate(SLOTS) if slot.part == "legs" and slot.first > 0.0]
    middle = 0.5 * (min(feet_x) + max(feet_x)) * scale + shift[0]
    return Solids(
        start=start * scale + shift,
        end=end * scale + shift,
        radii=radii * scale,
        up=up @ turn.T,
        side=side @ turn.T,
        foot=(middle, _FEET - 0.015),
        width=0.5 * (max(feet_x) - min(feet_x)) * scale + 0.08,
    )


def _pose(scene: Scene) -> tuple[Vector, Vector, Vector]:
    """Capsule ends and radii in the animal's frame, in the order of SLOTS."""
    p, pose = PROPORTIONS[scene.species], scene.pose
    body, neck_size, leg_size, head_size = scene.build
    front, back = (r * body for r in p.trunk_radii)
    chest, rump = np.array([0.5 * p.trunk, 0.0, 0.0]), np.array([-0.5 * p.trunk, 0.0, 0.0])
    capsules = [(rump, chest, back, front)]

    withers = chest + np.array([0.25 * front, 0.35 * front, 0.0])
    poll = withers + neck_size * p.neck * _direction(p.neck_pitch + pose.neck)
    capsules.append((withers, poll, *p.neck_radii))

    brow = poll + head_size * p.head[0] * _direction(p.head_pitch[0] + pose.head)
    nose = brow + head_size * p.head[1] * _direction(p.head_pitch[1] + pose.head)
    skull, mid, tip = (r * head_size for r in p.head_radii)
    capsules += [(poll, brow, skull, mid), (brow, nose, mid, tip)]

    for outward in (1.0, -1.0):
        tilt = np.radians(p.ear_spread)
        along = _direction(p.ear_pitch + 0.5 * pose.head) * np.cos(tilt) + np.array([0.0, 0.0, outward * np.sin(tilt)])
        root = poll + np.array([-0.2 * skull, 0.55 * skull, outward * 0.6 * skull])
        capsules.append((root, root + head_size * p.ear * along, *p.ear_radii))

    for leg in _LEGS:
        capsules += _leg(p, leg, front if leg < 2 else back, leg_size, pose.hips[leg], pose.knees[leg])

    dock = rump + np.array([-0.75 * back, 0.45 * back, 0.0])
    tail_end = dock + p.tail * _direction(180.0 - p.tail_pitch - pose.tail)
    capsules.append((dock, tail_end, *p.tail_radii))

    starts, ends, near, far = zip(*capsules, strict=True)
    return np.array(starts), np.array(ends), np.array([near, far]).T


def _leg(p: Proportions, leg: int, girth: float, size: float, hip: float, knee: float) -> list[tuple]:
    """Thigh and shin of one leg; the hip sits inside the trunk."""
    outward = 1.0 if leg % 2 == 0 else -1.0
    x = 0.5 * p.trunk + 0.05 if leg < 2 else -0.5 * p.trunk - 0.05
    root = np.array([x, -0.45 * girth, outward * 0.52 * girth])
    length = size * (p.legs + 0.4 * girth)
    bend = root + 0.5 * length * _direction(-90.0 + hip)
    foot = bend + 0.5 * length * _direction(-90.0 + hip + knee)
    thick, thin = p.leg_radii
    middle = 0.5 * (thick + thin)
    return [(root, bend, thick, middle), (bend, foot, middle, thin)]


def _view(scene: Scene) -> Vector:
    """Rotation from the animal's frame to the image's, y still up: turn about the vertical, then look down a
    little.
    """
    yaw, tilt = np.radians(_YAW[scene.view] + scene.yaw_jitter), np.radians(_ELEVATION)
    turn = np.array([[np.cos(yaw), 0.0, np.sin(yaw)], [0.0, 1.0, 0.0], [-np.sin(yaw), 0.0, np.cos(yaw)]])
    pitch = np.array([[1.0, 0.0, 0.0], [0.0, np.cos(tilt), -np.sin(tilt)], [0.0, np.sin(tilt), np.cos(tilt)]])
    return np.diag([1.0, -1.0, 1.0]) @ pitch @ turn


def _fit(scene: Scene, start: Vector, end: Vector, radii: Vector) -> tuple[float, Vector]:
    """Scale and shift that put the animal's bounding box into the frame, feet on the ground line."""
    points = np.concatenate([start, end])[:, :2]
    reach = np.concatenate([radii[:, 0], radii[:, 1]])[:, None]
    low, high = (points - reach).min(0), (points + reach).max(0)
    width, height = high - low
    scale = scene.fill * min(_FRAME_WIDTH / width, _FRAME_HEIGHT / height)
    left = (1.0 - scale * width) * (0.5 + 0.7 * scene.shift)
    return scale, np.array([left - scale * low[0], _FEET - scale * high[1], 0.0])


def _direction(pitch: float) -> Vector:
    angle = np.radians(pitch)
    return np.array([np.cos(angle), np.sin(angle), 0.0])


def _unit(vectors: Vector) -> Vector:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
