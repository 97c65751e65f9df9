"""Which rows the report shows and, where running all of them takes hours, which it runs.

The whole report has 90 minutes on two cores. Rows that change one thing of a method at a time have runs of their own,
whose results lie in benchmarks/results/ablations.
"""

from __future__ import annotations

from .claim_list import EFFECT

PCK = (
    "PCK@0.1", "PCK@0.1, mirrored as fits", "mirrored where it should be", "PCK@0.1, without masks",
    "PCK@0.1, facing the same way",
)  # fmt: skip
OBJECTS = ("IoU", "IoU of 0.8 or more", "keypoints inside", "IoU of the boxes")
TRANSFORMER = ("evaluations", "matching_evaluations", *EFFECT)
TRANSFORMERS = (
    "identity", "perfect", "resumed", "AdaIN", "SDEdit", "concatenated", "Untwisting", "balanced", "by likeness",
    "near found", "rearranged", "nothing given", "Latent Deviation", "FlowEdit",
)  # fmt: skip
BOUNDS = ("identity", "identity, autoencoder", "perfect answer", "perfect answer, autoencoder")
TRANSFERS = (
    "ours", "ours, true masks", "ours, found", "eye-for-an-eye", "eye-for-an-eye, true masks", "eye-for-an-eye, found",
    "fine-grained, 20 steps", "fine-grained, found, 20 steps",
)  # fmt: skip
WITHOUT_A_PART = (
    "ours, no contrast", "ours, no guidance", "ours, no AdaIN", "ours, no structure injection",
    "ours, mirrored to match, true masks", "ours, found, without matches",
)  # fmt: skip
EFFECT_METHODS = (
    *BOUNDS, "color transfer", "color transfer, MKL", "img2img", "SDEdit", "AdaIN only", "replay only", *TRANSFERS,
    *WITHOUT_A_PART,
)  # fmt: skip
LARGE_METHODS = (
    *BOUNDS, "color transfer", "AdaIN only",
    *(name for name in TRANSFERS if name not in ("ours", "eye-for-an-eye")),
)  # fmt: skip
QUICK_METHODS = (
    "identity", "perfect answer, autoencoder", "color transfer", "img2img", "SDEdit", "AdaIN only", "ours",
    "ours, no contrast", "ours, no guidance", "ours, no AdaIN", "ours, true masks", "eye-for-an-eye, true masks",
)  # fmt: skip
ON_TRANSFORMER = (
    "identity", "perfect answer, autoencoder", "resumed only", "AdaIN only", "Untwisting RoPE", "by likeness",
    "near found matches, 4 steps", "rearranged by found matches, 4 steps", "nothing given, 4 steps",
    "nothing given, by its own features, 4 steps", "Latent Deviation by found matches, 8 steps",
    "Latent Deviation, nothing given, 8 steps", "Latent Deviation, nothing given, by its own features, 8 steps",
    "FlowEdit, rearranged by found matches, 4 steps",
)  # fmt: skip
QUICK_ON_TRANSFORMER = (
    "identity", "resumed only", "AdaIN only", "by likeness", "rearranged by found matches, 4 steps", "nothing given",
)  # fmt: skip
SECONDS = (
    "U-Net: ours, found", "U-Net: eye-for-an-eye, found", "U-Net: fine-grained, found, 20 steps", "resumed only",
    "concatenated", "Untwisting RoPE", "by likeness", "near found matches, 4 steps", "nothing given, 4 steps",
    "nothing given, by its own features, 4 steps", "Latent Deviation, nothing given, 8 steps",
    "Latent Deviation, nothing given, by its own features, 8 steps", "FlowEdit, nothing given, 4 steps",
    "FlowEdit between two texts",
)  # fmt: skip
SETTINGS = (
    "Cross-Image Attention, the paper's settings", "Cross-Image Attention, 50 steps", "Cross-Image Attention, 20 steps",
    "Cross-Image Attention, 10 steps", "Cross-Image Attention, 8 steps, no structure injection",
    "Cross-Image Attention, 4 steps, no structure injection", "Semantic Rearrangement, the paper's settings",
    "Semantic Rearrangement, 20 steps", "Semantic Rearrangement, 10 steps", "Semantic Rearrangement, 8 steps",
    "Semantic Rearrangement, 4 steps", "Latent Deviation, 20 steps, until 0.6",
    "Latent Deviation, 10 steps, until 0.6",
)  # fmt: skip
QUICK_SETTINGS = (
    "Cross-Image Attention, 20 steps", "Cross-Image Attention, 10 steps",
    "Cross-Image Attention, 4 steps, no structure injection",
)  # fmt: skip
SOURCES = (
    "DIFT, pocket preset", "DIFT, pocket preset, ensemble 1", "DIFT, timestep 261, up block 1",
    "self-attention keys, level /1, step 30", "raw pixels, 3 x 3", "chance",
)  # fmt: skip
QUICK_SOURCES = ("DIFT, pocket preset", "raw pixels, 3 x 3", "chance")
EDITS = (
    "identity, autoencoder", "perfect answer, autoencoder", "SDEdit, denoise 0.5", "ours", "ours, no guidance",
    "DDIM + word swap",
)  # fmt: skip
QUICK_EDITS = ("identity, autoencoder", "perfect answer, autoencoder", "ours", "ours, no guidance", "DDIM + word swap")
