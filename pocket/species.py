"""The six species of the pocket world as proportions of a four-legged body."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Proportions:
    """A species. Lengths and radii in trunk units; pitches in degrees above the horizon. Pairs are (near the trunk,
    far from it).
    """

    trunk: float
    trunk_radii: tuple[float, float]
    legs: float
    leg_radii: tuple[float, float]
    neck: float
    neck_radii: tuple[float, float]
    neck_pitch: float
    head: tuple[float, float]
    head_radii: tuple[float, float, float]
    head_pitch: tuple[float, float]
    ear: float
    ear_radii: tuple[float, float]
    ear_pitch: float
    ear_spread: float
    tail: float
    tail_radii: tuple[float, float]
    tail_pitch: float


PROPORTIONS: dict[str, Proportions] = {
    "horse": Proportions(
        trunk=0.70,
        trunk_radii=(0.31, 0.31),
        legs=0.60,
        leg_radii=(0.14, 0.10),
        neck=0.56,
        neck_radii=(0.22, 0.16),
        neck_pitch=52,
        head=(0.16, 0.20),
        head_radii=(0.16, 0.14, 0.10),
        head_pitch=(-25, -40),
        ear=0.20,
        ear_radii=(0.07, 0.035),
        ear_pitch=95,
        ear_spread=20,
        tail=0.52,
        tail_radii=(0.09, 0.14),
        tail_pitch=-66,
    ),
    "cow": Proportions(
        trunk=0.86,
        trunk_radii=(0.40, 0.40),
        legs=0.46,
        leg_radii=(0.15, 0.12),
        neck=0.44,
        neck_radii=(0.27, 0.21),
        neck_pitch=24,
        head=(0.12, 0.22),
        head_radii=(0.21, 0.19, 0.15),
        head_pitch=(-10, -25),
        ear=0.24,
        ear_radii=(0.08, 0.07),
        ear_pitch=130,
        ear_spread=55,
        tail=0.62,
        tail_radii=(0.08, 0.09),
        tail_pitch=-74,
    ),
    "sheep": Proportions(
        trunk=0.50,
        trunk_radii=(0.42, 0.42),
        legs=0.36,
        leg_radii=(0.12, 0.10),
        neck=0.40,
        neck_radii=(0.22, 0.17),
        neck_pitch=42,
        head=(0.10, 0.16),
        head_radii=(0.17, 0.16, 0.11),
        head_pitch=(-15, -35),
        ear=0.22,
        ear_radii=(0.07, 0.06),
        ear_pitch=200,
        ear_spread=45,
        tail=0.14,
        tail_radii=(0.14, 0.14),
        tail_pitch=-20,
    ),
    "giraffe": Proportions(
        trunk=0.55,
        trunk_radii=(0.37, 0.31),
        legs=0.70,
        leg_radii=(0.16, 0.125),
        neck=0.92,
        neck_radii=(0.25, 0.17),
        neck_pitch=64,
        head=(0.18, 0.26),
        head_radii=(0.20, 0.17, 0.12),
        head_pitch=(-5, -20),
        ear=0.24,
        ear_radii=(0.09, 0.07),
        ear_pitch=115,
        ear_spread=25,
        tail=0.55,
        tail_radii=(0.09, 0.12),
        tail_pitch=-64,
    ),
    "dog": Proportions(
        trunk=0.62,
        trunk_radii=(0.29, 0.25),
        legs=0.42,
        leg_radii=(0.13, 0.10),
        neck=0.36,
        neck_radii=(0.21, 0.17),
        neck_pitch=48,
        head=(0.14, 0.24),
        head_radii=(0.20, 0.16, 0.09),
        head_pitch=(5, -12),
        ear=0.28,
        ear_radii=(0.11, 0.05),
        ear_pitch=105,
        ear_spread=18,
        tail=0.44,
        tail_radii=(0.11, 0.09),
        tail_pitch=52,
    ),
    "elephant": Proportions(
        trunk=0.72,
        trunk_radii=(0.46, 0.42),
        legs=0.50,
        leg_radii=(0.19, 0.16),
        neck=0.52,
        neck_radii=(0.36, 0.28),
        neck_pitch=26,
        head=(0.16, 0.66),
        head_radii=(0.28, 0.22, 0.12),
        head_pitch=(-20, -72),
        ear=0.22,
        ear_radii=(0.14, 0.18),
        ear_pitch=215,
        ear_spread=28,
        tail=0.46,
        tail_radii=(0.08, 0.09),
        tail_pitch=-66,
    ),
}
