"""Which part of the reference paints which part of the image, as an image."""

from dataclasses import replace
from typing import Any

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.match_map import attended_positions
from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.warp import warp
from ...inversion.types import Inversion
from .capture import capture_tokens, step_read_at
from .matched import matched


def paint_with_matches(
    model: ModelPatcher, structure: Inversion, appearance: Inversion, image: Tensor, at_percent: float
) -> tuple[Tensor, Tensor]:
    """Fill every position of the structure with the piece of the appearance that it looks at most.

    image: [B or 1, H, W, 3], the appearance in 0..1. at_percent: of the noise schedule, 0..1, where both are read.

    Returns IMAGE [B, H, W, 3] and MASK [B, h, w], how decided each position is: 0 looks everywhere, 1 at one position
    only.
    Raises ValueError where the inversions differ in number of images, and for another number of images.
    """
    check_as_many(structure, appearance)
    if len(image) not in (1, structure.images):
        raise ValueError(
            f"There are {len(image)} appearance images for {structure.images} structure(s). Connect one image, "
            "or one for each: those that the appearance is the inversion of."
        )
    structure_tokens = capture_tokens(model, structure, step_read_at(model, structure, at_percent))
    appearance_tokens = capture_tokens(model, appearance, step_read_at(model, appearance, at_percent))
    index, weight = attended_positions(structure_tokens.q, appearance_tokens.k)
    height, width = structure_tokens.grid
    pieces = interpolate(image.movedim(-1, 1), size=appearance_tokens.grid, mode="area").flatten(2)
    pieces = pieces.expand(len(index), -1, -1)
    painted = pieces.gather(2, index[:, None].expand(-1, pieces.shape[1], -1)).unflatten(2, (height, width))
    size = [  # of the structure, in the pixels of the appearance
        round(pixels * ours / theirs)
        for pixels, ours, theirs in zip(image.shape[1:3], structure.size, appearance.size, strict=True)
    ]
    painted = interpolate(painted, size=size, mode="nearest-exact").movedim(1, -1)
    uniform = 1 / (appearance_tokens.grid[0] * appearance_tokens.grid[1])
    decided = ((weight - uniform) / (1 - uniform)).clamp(0, 1).unflatten(1, (height, width))
    return painted.contiguous(), decided


def check_as_many(structure: Inversion, appearance: Inversion) -> None:
    """Raise ValueError where an appearance holds neither one image nor as many as the structure."""
    if appearance.images not in (1, structure.images):
        raise ValueError(
            f"The structure holds {structure.images} image(s) and the appearance {appearance.images}. "
            "Invert as many appearances as structures, or one for all."
        )


def match_features(structure: Features, appearance: Features, **settings: Any) -> Correspondence:
    """`matched` on the device that models run on; the result is in the processor's memory."""
    device = comfy.model_management.get_torch_device()
    moved = (replace(features, values=features.values.to(device)) for features in (structure, appearance))
    return matched(*moved, **settings).moved(device="cpu")


def confidence_mask(correspondence: Correspondence) -> Tensor:
    """MASK [B, H, W] of the structure image: the confidence of each position over all its pixels."""
    return interpolate(
        correspondence.confidence[:, None], size=correspondence.structure_image, mode="nearest-exact"
    ).squeeze(1)


Warpable = Tensor | dict[str, Any]
"""What nodes pass: IMAGE [B, H, W, C], MASK [B, H, W] or [H, W], or LATENT."""


def warp_by_matches(values: Warpable, correspondence: Correspondence, fallback: Warpable | None = None) -> Warpable:
    """`warp` of an IMAGE, MASK or LATENT, with a fallback of the same kind; the result is of that kind too.

    Raises ValueError for a fallback of another kind, and for latents of videos.
    """
    if fallback is not None and _kind(fallback) != _kind(values):
        raise ValueError(
            f"The values to carry are a {_kind(values)} and the fallback is a {_kind(fallback)}. Connect two of one "
            "kind."
        )
    warped = warp(_channels_first(values), correspondence, None if fallback is None else _channels_first(fallback))
    if isinstance(values, dict):
        return {"samples": warped}
    return warped.movedim(1, -1).contiguous() if values.ndim == 4 else warped.squeeze(1)


def _kind(values: Warpable) -> str:
    if isinstance(values, dict):
        return "LATENT"
    return "IMAGE" if values.ndim == 4 else "MASK"


def _channels_first(values: Warpable) -> Tensor:
    """[B, C, H, W]"""
    if isinstance(values, dict):
        if values["samples"].ndim != 4:
            raise ValueError("Only latents of images can be carried, not of videos. Take the frames as images.")
        return values["samples"]
    return values.movedim(-1, 1) if values.ndim == 4 else values.view(-1, 1, *values.shape[-2:])
