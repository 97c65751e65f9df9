"""The pack's own socket types, used by every family of nodes."""

from comfy_api.latest import io

Inversion = io.Custom("INVERSION")
"""An image's path through noise (inversion/types.py)."""

Appearance = io.Custom("APPEARANCE")
"""An inversion with a weight, the region of the output it paints, and its matches
(host/transfer/reference_session.py).
"""

Features = io.Custom("FEATURES")
"""What a network knows of every position of an image (correspondence/features.py)."""

Correspondence = io.Custom("CORRESPONDENCE")
"""For every position of the structure its position in the appearance (correspondence/correspondence.py)."""

EditDirection = io.Custom("EDIT_DIRECTION")
"""From one word to another, for any prompt (editing/direction.py)."""

DinoVit = io.Custom("DINO_VIT")
"""A vision transformer that judges structure and appearance (host/vit/dino.py)."""

SpliceGenerator = io.Custom("SPLICE_GENERATOR")
"""A generator trained on one pair of images (splice/checkpoint.py)."""

DistilledEditor = io.Custom("DISTILLED_EDITOR")
"""A network that does one edit in one pass (distillation/checkpoint.py)."""

PerceptualNetwork = io.Custom("PERCEPTUAL_NETWORK")
"""LPIPS, or the network alone that it looks through (host/evaluation/perceptual.py)."""

CATEGORY = "appearance transfer"
