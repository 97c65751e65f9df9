"""Connections with which a transfer changes nothing, or not what was meant: said once, on the node, before it runs."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from comfy_api.torch_helpers.torch_compile import TORCH_COMPILE_KWARGS
from torch import Tensor

from ...inversion.types import Inversion
from ..models.conditioning import unpack
from .plan import Appearance
from .reference_session import ReferenceSession

log = logging.getLogger("appearance_transfer")

SAME = 1e-3  # relative: a latent encoded twice, a text in another precision


def weighed(
    inversion: Inversion,
    weight: float,
    mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    correspondence: Any = None,
) -> Appearance:
    """An appearance as Appearance Options makes it; warns where it paints nothing."""
    if weight == 0:
        log.warning("This appearance paints nothing, since its weight is 0. Raise weight, or disconnect the node.")
    elif mask is not None and not bool(mask.any()):
        log.warning(
            "This appearance paints nothing, since its mask is empty (all black). Paint the region of the output, or "
            "disconnect mask (Load Image gives an empty mask for an image without transparency)."
        )
    return Appearance(inversion, weight, mask, appearance_mask, correspondence)


def warn_of_same_image(appearances: Sequence[Appearance], structure: Inversion | None) -> None:
    """Warn where a structure is the image of all appearances."""
    if structure is not None and all(same_image(structure, entry.inversion) for entry in appearances):
        log.warning(
            "The structure and the appearance are inversions of the same image, so there is no look to transfer. "
            "Connect the inversion of another image to the appearance or to structure."
        )


def warn_of_compiled(model_options: dict[str, Any]) -> None:
    """Warn where the sampling network is compiled: patches of single blocks are then missing in some."""
    if TORCH_COMPILE_KWARGS in model_options:
        log.warning(
            "The MODEL is compiled (TorchCompileModel), and then parts of the transfer are missing without an error. "
            "Take that node out of the way from the checkpoint to the sampler."
        )


def warn_of_resumed(resumed: Inversion, conds: dict[str, Any], runs: Iterable[ReferenceSession], node: str) -> None:
    """Warn where a run with a transfer resumes from the appearance, or goes on under another text than its inversion's.

    conds: of the guider that samples. node: by which it resumes, as a user knows it.
    """
    for run in runs:
        messages = run.structure is not None and same_image(
            run.structure.inversion, resumed
        )  # by its node, where it is so
        if not messages and all(same_image(reference.inversion, resumed) for reference in run.appearances):
            run.warn_once(
                f"{node} was given the inversion of the appearance, so the output starts as the "
                "appearance image. Connect the inversion of the structure to it."
            )
        if not _goes_on_under_its_text(resumed, conds.get("positive", ())):
            run.warn_once(
                "The guider's positive text is not the one that the resumed image was inverted under, so the output "
                "leaves that image also by its text. Connect the text of the inversion to positive, unless an edit by "
                "text is meant."
            )


def same_image(one: Inversion, other: Inversion) -> bool:
    """Whether two inversions are of the same images; one image may stand for all of the other."""
    if one.size != other.size or (one.images != other.images and 1 not in (one.images, other.images)):
        return False
    difference = (one.x0.float() - other.x0.float()).abs().max()
    return bool(difference <= SAME * one.x0.abs().max())


def _goes_on_under_its_text(resumed: Inversion, positive: Sequence[dict[str, Any]]) -> bool:
    """Whether one of the texts of a guider is that of the inversion."""
    own = unpack(resumed.conditioning, "positive")[0][0]
    return any(_same_text(own, cond.get("cross_attn")) for cond in positive)


def _same_text(one: Tensor, other: Tensor | None) -> bool:
    if other is None or one.shape[1:] != other.shape[1:]:
        return False
    one, other = one.float().cpu(), other.float().cpu()
    if len(one) != len(other) and 1 not in (len(one), len(other)):
        return False
    return bool((one - other).abs().max() <= SAME * torch.maximum(one.abs().max(), other.abs().max()))
