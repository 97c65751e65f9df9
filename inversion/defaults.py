"""How images are inverted where nobody says otherwise, and how the paper does it."""

STEPS, START_AT = 20, 6
"""Steps of the whole schedule, and those left out at the noisy end: 14 are run."""
INVERSION_CFG = 1.0
"""Classifier-free guidance while inverting; off, which halves the cost."""

PAPER_STEPS, PAPER_START_AT, PAPER_CFG = 100, 32, 3.5
"""Cross-Image Attention (arXiv 2311.03335) and its reference code: 68 steps are run."""
