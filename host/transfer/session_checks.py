"""What a run refuses before its first step: inversions that cannot stand beside it."""

from collections.abc import Sequence

from ...inversion.schedule import SIGMA_RTOL
from ...inversion.types import Inversion
from ..runtime.input_fits import check_output_mask
from .plan import TransferPlan


def check_run(plan: TransferPlan, sigmas: Sequence[float], shape: Sequence[int]) -> None:
    """Raise where an image of a plan cannot stand beside a run along `sigmas` of latents of this shape [B, C, h, w]."""
    for inversion in plan.inversions:
        check_number(inversion, shape[0])
        if plan.settings.replayed:
            check_goes_along(inversion, sigmas)
    if plan.structure is not None:
        check_size(plan.structure, shape)
    for appearance in plan.appearances:
        check_output_mask(appearance.mask, shape, "mask of an appearance")


def check_size(structure: Inversion, shape: Sequence[int]) -> None:
    """Raise where a structure has another size than the latents to sample, position by position."""
    if tuple(shape[-2:]) != tuple(structure.size):
        raise ValueError(
            f"The latent to sample is {shape[-1]}x{shape[-2]} and the inversion connected to structure is "
            f"{structure.extent} (latent pixels). Sample in the size of the structure image, or disconnect structure."
        )


def check_number(inversion: Inversion, outputs: int) -> None:
    """Raise where so many outputs cannot be paired with the images of an inversion."""
    if outputs % inversion.images:
        raise ValueError(
            f"An inversion holds {inversion.images} images and the batch to sample {outputs}: "
            "use one reference image for all outputs, or as many as there are outputs."
        )


def check_goes_along(inversion: Inversion, sigmas: Sequence[float]) -> None:
    """Raise where an inversion that is replayed has other noise levels than a run."""
    recorded = inversion.schedule.sigmas
    run = sigmas[:-1]
    if len(run) != len(recorded) - 1 or any(abs(a - b) > SIGMA_RTOL * b for a, b in zip(run, recorded, strict=False)):
        raise ValueError(
            f"The preset reference code steps along the noise levels of the inversion, which has {len(recorded) - 1} "
            f"steps from sigma {recorded[0]:.3f}; this run has {len(run)} from sigma {run[0] if run else 0:.3f}. Set "
            "preset to default, which goes with every sampler and scheduler, or sample with Sample from "
            "Inversion, from inversions of the same steps and start_at_step."
        )
