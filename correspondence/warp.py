"""Anything that lies over the appearance, carried to where it matches in the structure."""

from __future__ import annotations

import torch
from torch import Tensor

from .correspondence import NO_MATCH, Correspondence
from .regrid import regrid


def warp(values: Tensor, correspondence: Correspondence, fallback: Tensor | None = None) -> Tensor:
    """Carry `values` from the appearance onto the structure.

    values: [B or 1, C, H', W'] over the whole appearance picture, at any size: pixels, a latent, features. Where they
        are finer than the matches, each match carries a patch. Soft matches carry the weighted mean.
    fallback: [B or 1, C, H, W] over the structure, shown where nothing matches (0 without it), and of the wanted size.

    Returns [B, C, H, W]; without a fallback at the size whose places are as large as those of `values`. Raises
    ValueError for other numbers of pictures or channels.
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
    fine = regrid(correspondence, size, (values.shape[-2], values.shape[-1]))
    wide = torch.promote_types(values.dtype, torch.float32)
    pieces = values.flatten(2).to(wide).expand(fine.pictures, -1, -1)
    carried = pieces.new_zeros(fine.pictures, values.shape[1], size[0] * size[1])
    for index, weight in zip(fine.index.unbind(1), fine.weight.unbind(1), strict=True):
        place = index.flatten(1).clamp(min=0).to(values.device)[:, None].expand(-1, values.shape[1], -1)
        carried += pieces.gather(2, place) * weight.flatten(1)[:, None].to(carried)
    carried = carried.unflatten(2, size)
    if fallback is not None:
        unmatched = (fine.best == NO_MATCH)[:, None].to(values.device)
        carried = torch.where(unmatched, fallback.to(carried), carried)
    return carried.to(values.dtype)


def _natural_size(values: Tensor, correspondence: Correspondence) -> tuple[int, int]:
    """The structure's size in places as large as those of `values`."""
    axes = zip(correspondence.grid, values.shape[-2:], correspondence.appearance_grid, strict=True)
    height, width = (max(1, round(places * size / there)) for places, size, there in axes)
    return height, width


def _check(name: str, values: Tensor, correspondence: Correspondence) -> None:
    if values.ndim != 4 or len(values) not in (1, correspondence.pictures):
        raise ValueError(
            f"The {name} should be [pictures, channels, height, width] of 1 or {correspondence.pictures} picture(s), "
            f"as the matches are, but they are {list(values.shape)}. Connect as many pictures as were matched."
        )
