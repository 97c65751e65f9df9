"""The pack's own socket types, used by every family of nodes."""

from comfy_api.latest import io

Inversion = io.Custom("INVERSION")
"""A picture's path through noise (inversion/record.py)."""

Appearance = io.Custom("APPEARANCE")
"""An inversion with a weight, the region of the output it paints, and its matches (host/run.py)."""

Features = io.Custom("FEATURES")
"""What a network knows of every place of a picture (correspondence/features.py)."""

Correspondence = io.Custom("CORRESPONDENCE")
"""For every place of the structure its place in the appearance (correspondence/correspondence.py)."""

EditDirection = io.Custom("EDIT_DIRECTION")
"""From one word to another, for any prompt (editing/direction.py)."""

DinoVit = io.Custom("DINO_VIT")
"""A vision transformer that judges structure and appearance (host/dino.py)."""

SpliceGenerator = io.Custom("SPLICE_GENERATOR")
"""A generator trained on one pair of pictures (splice/record.py)."""

DistilledEditor = io.Custom("DISTILLED_EDITOR")
"""A network that does one edit in one pass (distillation/record.py)."""

PerceptualNetwork = io.Custom("PERCEPTUAL_NETWORK")
"""LPIPS, or the network alone that it looks through (host/perceptual.py)."""

CATEGORY = "appearance transfer"
