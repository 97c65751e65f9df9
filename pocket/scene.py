"""What an image of the pocket world shows: one four-legged toy animal, its coat, pose, view, light and ground.

A `Scene` is plain data; `anatomy` turns it into solids, `render` into pixels, `captions` into words. Appearance is
drawn per part and independently of the species, so a network has to look from leg to leg and from ear to ear to paint
an image.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RGB = tuple[float, float, float]

WORLD_VERSION = 1
"""Raise when a seed no longer gives the same image; checkpoints carry the version of the world they were trained
on.
"""

PARTS = ("background", "body", "neck", "head", "ears", "legs", "tail")
SPECIES = ("horse", "cow", "sheep", "giraffe", "dog", "elephant")
COATS = ("plain", "striped", "lined", "spotted", "patched", "belted", "saddled", "dipped")
GROUNDS = ("grass", "sand", "snow", "rock")
VIEWS = ("right", "right front", "right rear", "left", "left front", "left rear")

COLORS: dict[str, RGB] = {
    "red": (0.84, 0.15, 0.14),
    "orange": (0.96, 0.50, 0.10),
    "yellow": (0.96, 0.85, 0.16),
    "green": (0.16, 0.60, 0.20),
    "cyan": (0.14, 0.76, 0.80),
    "blue": (0.14, 0.27, 0.84),
    "purple": (0.50, 0.18, 0.70),
    "pink": (0.96, 0.48, 0.72),
    "brown": (0.43, 0.25, 0.11),
    "black": (0.10, 0.10, 0.12),
}
"""Saturated or dark, where skies and grounds are pale and dull: a coat never looks like its background."""

GROUND_COLORS: dict[str, RGB] = {
    "grass": (0.62, 0.70, 0.55),
    "sand": (0.80, 0.75, 0.63),
    "snow": (0.85, 0.87, 0.90),
    "rock": (0.63, 0.62, 0.62),
}
SKY_COLORS: tuple[RGB, ...] = ((0.72, 0.80, 0.88), (0.86, 0.82, 0.78), (0.80, 0.82, 0.84))


@dataclass(frozen=True)
class Pose:
    """Joint angles in degrees; 0 is the species' rest pose, positive lifts (neck, head, tail) or swings forward
    (legs).
    """

    neck: float
    head: float
    tail: float
    hips: tuple[float, ...]
    knees: tuple[float, ...]


@dataclass(frozen=True)
class Scene:
    """One image's contents.

    `view` indexes VIEWS. `part_colors` holds one RGB in 0..1 for each of PARTS[1:]; `coat_color` is the pattern's
    second color. `build` multiplies the species' proportions (body, neck, legs, head). `light` is (azimuth,
    elevation) in degrees, azimuth 0 from behind the viewer, positive from the right. `fill` scales the animal,
    `shift` moves it (image widths).
    """

    seed: int
    species: str
    coat: str
    view: int
    color: str
    ground: str
    part_colors: tuple[RGB, ...]
    coat_color: RGB
    coat_phase: tuple[float, ...]
    pose: Pose
    build: tuple[float, ...]
    yaw_jitter: float
    light: tuple[float, float]
    ground_color: RGB
    sky_color: RGB
    horizon: float
    fill: float
    shift: float

    @property
    def faces_left(self) -> bool:
        """True if the head is on the left of the image."""
        return self.view >= 3


def random_scene(seed: int, *, species: str | None = None, coat: str | None = None, view: int | None = None) -> Scene:
    """Draw the scene that belongs to `seed`; the keywords fix one trait and leave all others as they were.

    Raises ValueError for a species, coat or view that the world does not have.
    """
    _check("species", species, SPECIES)
    _check("coat", coat, COATS)
    _check("view", view, range(len(VIEWS)))
    rng = np.random.default_rng(seed)
    drawn_species, drawn_coat = rng.choice(SPECIES), rng.choice(COATS)
    drawn_view, ground = int(rng.integers(len(VIEWS))), str(rng.choice(tuple(GROUND_COLORS)))
    names = rng.choice(tuple(COLORS), size=len(PARTS) - 1)
    others = [name for name in COLORS if name != names[0]]
    second = others[int(rng.integers(len(others)))]
    return Scene(
        seed=seed,
        species=species or str(drawn_species),
        coat=coat or str(drawn_coat),
        view=drawn_view if view is None else view,
        color=str(names[0]),
        ground=ground,
        part_colors=tuple(_vary(rng, COLORS[name], 0.015, 0.06, 0.05) for name in names),
        coat_color=_vary(rng, COLORS[second], 0.015, 0.06, 0.05),
        coat_phase=_uniforms(rng, 0.0, 1.0, 2),
        pose=_random_pose(rng),
        build=_uniforms(rng, 0.93, 1.07, 4),
        yaw_jitter=float(rng.uniform(-5.0, 5.0)),
        light=(float(rng.uniform(-50.0, 50.0)), float(rng.uniform(30.0, 65.0))),
        ground_color=_vary(rng, GROUND_COLORS[ground], 0.01, 0.02, 0.03),
        sky_color=_vary(rng, SKY_COLORS[int(rng.integers(len(SKY_COLORS)))], 0.01, 0.02, 0.03),
        horizon=float(rng.uniform(0.58, 0.68)),
        fill=float(rng.uniform(0.92, 1.0)),
        shift=float(rng.uniform(-0.5, 0.5)),
    )


def _random_pose(rng: np.random.Generator) -> Pose:
    """Trot-like: diagonal legs swing together, with a little noise of their own."""
    stride = rng.uniform(-22.0, 22.0)
    swing = np.array([stride, -stride, -stride, stride]) + rng.uniform(-5.0, 5.0, 4)
    return Pose(
        neck=float(rng.uniform(-14.0, 14.0)),
        head=float(rng.uniform(-14.0, 14.0)),
        tail=float(rng.uniform(-18.0, 18.0)),
        hips=tuple(float(x) for x in swing),
        knees=_uniforms(rng, -22.0, 0.0, 4),
    )


def _check(trait: str, value: object, known: Sequence[object]) -> None:
    if value is not None and value not in known:
        raise ValueError(f"The pocket world has no {trait} {value!r}; it knows {', '.join(map(str, known))}.")


def _uniforms(rng: np.random.Generator, low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(float(x) for x in rng.uniform(low, high, count))


def _vary(rng: np.random.Generator, color: RGB, hue: float, saturation: float, value: float) -> RGB:
    """The color with a little HSV noise, so that no two red horses are the same red."""
    h, s, v = colorsys.rgb_to_hsv(*color)
    dh, ds, dv = rng.uniform(-1.0, 1.0, 3)
    h, s, v = (h + dh * hue) % 1.0, s + ds * saturation, v + dv * value
    r, g, b = colorsys.hsv_to_rgb(h, min(max(s, 0.0), 1.0), min(max(v, 0.0), 1.0))
    return float(r), float(g), float(b)
