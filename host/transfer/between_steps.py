"""What happens to the latent between two steps of our samplers: an operation from outside, and the noise mask."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ...attention.windows import PercentToSigma
from ...inversion.levels import latent_at
from ...inversion.types import Inversion
from .adain_operation import AdaINOperation
from .model_patch import current_sessions

# A LATENT_OPERATION: operation(latent=..., **about_the_step) -> latent
LatentOperation = Callable[..., Tensor]


def check_operation(
    operation: LatentOperation | None, shape: Sequence[int], sigmas: Sequence[float], percent_to_sigma: PercentToSigma
) -> None:
    """Before the first step of latents [B, C, h, w] along `sigmas`: raise ValueError where AdaIN does not fit them, and
    warn where it never acts."""
    if isinstance(operation, AdaINOperation):
        operation.check_fits(shape)
        operation.warn_if_never(sigmas, percent_to_sigma)


def operated(
    operation: LatentOperation | None,
    latent: Tensor,
    levels: tuple[float, float],
    percent_to_sigma: PercentToSigma,
    model_options: dict[str, Any],
) -> Tensor:
    """The latent after a step between two noise levels, as the operation changes it.

    It is told `sigma`, the noise level that the step began at, `percent_to_sigma` of the model, and `latent_of`, which
    finds another inversion's latent at the noise level that the step has led to.
    """
    if operation is None:
        return latent
    began, standing = levels
    return operation(
        latent=latent,
        sigma=began,
        percent_to_sigma=percent_to_sigma,
        latent_of=lambda other: _latent_of(other, standing, model_options),
    )


def mask_of_step(mask: Tensor, guider: Any, sigmas: Tensor, i: int, model_options: dict[str, Any]) -> Tensor:
    """The noise mask [B, C, h, w] as a node before says it is for step i (Differential Diffusion)."""
    change = model_options.get("denoise_mask_function")
    if change is None:
        return mask
    return change(sigmas[i].expand(len(mask)), mask, extra_options={"model": guider, "sigmas": sigmas})


def _latent_of(inversion: Inversion, sigma: float, model_options: dict[str, Any]) -> Tensor:
    """An inversion's latent at a noise level of this run: where its replayed reference stands, else as recorded, or
    noised anew where it was not recorded."""
    for run in current_sessions(model_options):
        replayed = run.latent_of(inversion, sigma)
        if replayed is not None:
            return replayed
    return latent_at(inversion, sigma)
