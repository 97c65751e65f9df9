"""Small vision transformers to test with: the one of the golden set, and random ones of every family."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO
from appearance_transfer.vit.vit import VisionTransformer, ViTConfig, load_vit
from safetensors.torch import load_file, save_file
from torch import Tensor

TINY_VIT = "tiny.safetensors"
GOLDEN_WEIGHTS = SPLICE_AND_PIX2PIX_ZERO / "splice_vit_weights.safetensors"


def golden_vit(dtype: torch.dtype = torch.float32) -> VisionTransformer:
    """The miniature that made the golden tensors: patch 8, width 48, 3 blocks. Skips the test where it is not there."""
    if not GOLDEN_WEIGHTS.is_file():
        pytest.skip(f"The miniature ViT is only in the full golden set, which is not at {SPLICE_AND_PIX2PIX_ZERO}")
    weights = {name: tensor.to(dtype) for name, tensor in load_file(GOLDEN_WEIGHTS).items()}
    return load_vit(weights, heads=3)


def random_weights(seed: int = 0, **sizes) -> dict[str, Tensor]:
    """Weights of a tiny ViT (patch 8, width 128, 2 blocks, positions of a 4 x 4 grid) under the official names."""
    architecture = ViTConfig(**{"width": 128, "depth": 2, "heads": 2, "patch": 8, "side": 4} | sizes)
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(tensor.shape, generator=generator) * (0.1 if tensor.ndim > 1 else 0.3)
        for name, tensor in VisionTransformer(architecture).state_dict().items()
    }


def keep_tiny_vit(folder: Path) -> None:
    """Such weights as the file TINY_VIT in a folder of ComfyUI's models."""
    folder.mkdir(parents=True)
    save_file(random_weights(), folder / TINY_VIT)


def random_images(height: int, width: int, images: int = 1, seed: int = 0) -> Tensor:
    """[B, 3, H, W] in 0..1."""
    return torch.rand(images, 3, height, width, generator=torch.Generator().manual_seed(seed))
