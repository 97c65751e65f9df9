"""Generators to test with: those of the golden set, under the names that ours has."""

from __future__ import annotations

import json

import torch
from appearance_transfer.splice.generator import SkipGenerator
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from safetensors import safe_open
from torch import Tensor

WEIGHTS = {"init": "splice_A2_generator_weights", "trained": "splice_A3_generator_trained_fp16"}


def reference_weights(which: str, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Weights of the reference code, before ("init") or after 20 steps ("trained"); parameters come in one order."""
    golden("splice_A3_losses", "A_u8", SPLICE_AND_PIX2PIX_ZERO)  # skips the test where there is no golden set
    with safe_open(SPLICE_AND_PIX2PIX_ZERO / "splice_A3_losses.safetensors", "pt") as file:
        theirs = json.loads(file.metadata()["grad_norms_order"])
    return {
        name: golden(WEIGHTS[which], reference, SPLICE_AND_PIX2PIX_ZERO).to(dtype)
        for name, reference in zip(SkipGenerator().state_dict(), theirs, strict=True)
    }


def reference_generator(which: str, dtype: torch.dtype = torch.float32) -> SkipGenerator:
    generator = SkipGenerator().to(dtype)
    generator.load_state_dict(reference_weights(which, dtype))
    return generator


def image(file: str, name: str, dtype: torch.dtype = torch.float32) -> Tensor:
    """[1, 3, H, W] in 0..1 of the golden set."""
    return golden(f"splice_{file}", name, SPLICE_AND_PIX2PIX_ZERO)[None].to(dtype) / 255
