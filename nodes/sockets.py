"""The pack's own socket types, used by every family of nodes."""

from collections.abc import Callable
from typing import Any

from comfy_api.latest import io

PREFIX = "APPEARANCE_TRANSFER_"
"""Of every socket type, so that no other pack's type of the same name fits in."""

Inversion = io.Custom(PREFIX + "INVERSION")
"""An image's path through noise (inversion/types.py)."""

Reference = io.Custom(PREFIX + "REFERENCE")
"""An image noised to every level, to be read and not replayed: an Inversion without noise maps."""

Appearance = io.Custom(PREFIX + "APPEARANCE")
"""An inversion with a weight, the region of the output it paints, and its matches
(host/transfer/plan.py).
"""

Features = io.Custom(PREFIX + "FEATURES")
"""What a network knows of every position of an image (correspondence/features.py)."""

Matches = io.Custom(PREFIX + "MATCHES")
"""For every position of the structure its position in the appearance (correspondence/correspondence.py)."""

EditDirection = io.Custom(PREFIX + "EDIT_DIRECTION")
"""From one word to another, for any prompt (editing/direction.py)."""

DinoVit = io.Custom(PREFIX + "DINO_VIT")
"""A vision transformer that judges structure and appearance (host/vit/dino.py)."""

SpliceGenerator = io.Custom(PREFIX + "SPLICE_GENERATOR")
"""A generator trained on one pair of images (splice/checkpoint.py)."""

DistilledEditor = io.Custom(PREFIX + "DISTILLED_EDITOR")
"""A network that does one edit in one pass (distillation/checkpoint.py)."""

PerceptualNetwork = io.Custom(PREFIX + "PERCEPTUAL_NETWORK")
"""LPIPS, or the network alone that it looks through (host/evaluation/perceptual.py)."""

CATEGORY = "appearance transfer"

SEED_MAX = 0xFFFFFFFFFFFFFFFF

REFERENCE_CODE = "reference code"
PRESETS = ("default", REFERENCE_CODE)
"""The second sets what only a reproducer of the papers needs."""


def preset_of(settings: type, preset: str) -> Callable[..., Any]:
    """What makes the settings of a method: the class itself, or with all that the papers' code does otherwise."""
    return settings.reference_code if preset == REFERENCE_CODE else settings


def readable(name: str, *others: type[io.ComfyTypeIO], tooltip: str, optional: bool = False) -> io.MultiType.Input:
    """An input for an image that is only read: a reference or an inversion, or one of `others`."""
    return io.MultiType.Input(name, [Reference, Inversion, *others], optional=optional, tooltip=tooltip)


def seed_input(default: int, tooltip: str, advanced: bool = False) -> io.Input:
    """A seed that stays as it is: by itself the page draws a new one at every queue, and all that follows runs anew."""
    return io.Int.Input(
        "seed", default=default, min=0, max=SEED_MAX, control_after_generate=False, advanced=advanced, tooltip=tooltip
    )
