"""Anything that lies over the appearance, carried to where it matches in the structure."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .correspondence import NO_MATCH, Correspondence
from .resample import resample_matches


def warp(values: Tensor, correspondence: Correspondence, fallback: Tensor | None = None) -> Tensor:
    """Carry `values` from the appearance onto the structure.

    values: [B or 1, C, H', W'] over the whole appearance image, at any size: pixels, a latent, features. Where they
        are finer than the matches, each match carries a patch. Soft matches carry the weighted mean. Matches finer than
        a position are read bilinearly.
    fallback: [B or 1, C, H, W] over the structure, shown where nothing matches (0 without it), and of the wanted size.

    Returns [B, C, H, W]; without a fallback at the size whose positions are as large as those of `values`. Raises
    ValueError for other numbers of images or channels.
    """
    _check("values", values, correspondence)
    size = _natural_size(values, correspondence)
    if fallback is not None:
        _check("fallback", fallback, correspondence)
        if fallback.shape[1] != values.shape[1]:
            raise ValueError(
                f"The values to carry have {values.shape[1]} channels and the fallback has {fallback.shape[1]}. "
                "Connect a fallback of the same kind."
            )
        size = (fallback.shape[-2], fallback.shape[-1])
    fine = resample_matches(correspondence, size, (values.shape[-2], values.shape[-1]))
    wide = torch.promote_types(values.dtype, torch.float32)
    if fine.subcell is not None:
        return _finished(gather_between(values.to(wide), fine), fine, fallback).to(values.dtype)
    pieces = values.flatten(2).to(wide).expand(fine.images, -1, -1)
    warped = pieces.new_zeros(fine.images, values.shape[1], size[0] * size[1])
    for index, weight in zip(fine.index.unbind(1), fine.weight.unbind(1), strict=True):
        position = index.flatten(1).clamp(min=0).to(values.device)[:, None].expand(-1, values.shape[1], -1)
        warped += pieces.gather(2, position) * weight.flatten(1)[:, None].to(warped)
    return _finished(warped.unflatten(2, size), fine, fallback).to(values.dtype)


def gather_between(values: Tensor, correspondence: Correspondence) -> Tensor:
    """[B, C, h, w]: values [B or 1, C, H', W'] of the appearance, read bilinearly where the positions' best matches
    lie; 0 where nothing matches.
    """
    points = correspondence.points().to(values).flip(-1) * 2 - 1
    values = values.expand(len(points), -1, -1, -1)
    found = grid_sample(values, points, mode="bilinear", padding_mode="border", align_corners=False)
    return found * (correspondence.best != NO_MATCH)[:, None].to(found)


def _finished(warped: Tensor, fine: Correspondence, fallback: Tensor | None) -> Tensor:
    """The warped values with the fallback where nothing matches."""
    if fallback is None:
        return warped
    unmatched = (fine.best == NO_MATCH)[:, None].to(warped.device)
    return torch.where(unmatched, fallback.to(warped), warped)


def _natural_size(values: Tensor, correspondence: Correspondence) -> tuple[int, int]:
    """The structure's size in positions as large as those of `values`."""
    axes = zip(correspondence.grid, values.shape[-2:], correspondence.appearance_grid, strict=True)
    height, width = (max(1, round(positions * size / there)) for positions, size, there in axes)
    return height, width


def _check(name: str, values: Tensor, correspondence: Correspondence) -> None:
    if values.ndim != 4 or len(values) not in (1, correspondence.images):
        raise ValueError(
            f"The {name} should be [images, channels, height, width] of 1 or {correspondence.images} image(s), "
            f"as the matches are, but they are {list(values.shape)}. Connect as many images as were matched."
        )
