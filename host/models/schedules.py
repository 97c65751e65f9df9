"""From a MODEL to the noise levels an inversion goes through."""

import comfy.model_sampling
import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.schedule import Schedule, leading_timesteps


def schedule_of(model: ModelPatcher, *, steps: int, start_at: int = 0, sigmas: Tensor | None = None) -> Schedule:
    """The schedule of a run: `steps` leading timesteps of the model without the first `start_at`, or the given SIGMAS.

    Eps and v models use the papers' timesteps (991, 981, ..., 1 for 100 steps); flow models ComfyUI's "simple"
    scheduler.
    """
    sampling = model.get_model_object("model_sampling")
    flow = isinstance(sampling, comfy.model_sampling.CONST)
    if not flow and not isinstance(sampling, comfy.model_sampling.EPS):
        raise ValueError(
            f"This MODEL predicts in a way this node does not know ({type(sampling).__name__}). "
            "It works with eps, v and flow models."
        )
    if sigmas is None:
        sigmas = _flow_sigmas(sampling, steps) if flow else _leading_sigmas(sampling, steps)
        if not 0 <= start_at < steps:
            raise ValueError(
                f"start_at_step is {start_at} and steps is {steps}: nothing is left to run. Set start_at_step below "
                f"steps."
            )
    else:
        start_at = 0
    if len(sigmas) < 2:
        raise ValueError(
            f"The connected SIGMAS hold {len(sigmas)} level(s), which makes 0 steps. "
            "Connect a schedule with at least one step."
        )
    levels = tuple(float(sigma) for sigma in sigmas)
    return Schedule(levels, flow=flow, finest=float(sampling.sigma_min)).tail(start_at)


def _leading_sigmas(sampling: torch.nn.Module, steps: int) -> Tensor:
    timesteps = torch.tensor(leading_timesteps(steps, training_steps=len(sampling.sigmas)))
    return torch.cat([sampling.sigmas.double().cpu()[timesteps], torch.zeros(1, dtype=torch.float64)])


def _flow_sigmas(sampling: torch.nn.Module, steps: int) -> Tensor:
    return comfy.samplers.calculate_sigmas(sampling, "simple", steps).double()


def sigmas_one_timestep_below(model: ModelPatcher, schedule: Schedule) -> list[float]:
    """For every level but the last, the sigma of the training timestep before its own: t - 1 for t.

    The levels between which pix2pix-zero's reference code inverts (inversion/ddim.py). Raises ValueError for a model
    without a table of timesteps.
    """
    sampling = model.get_model_object("model_sampling")
    if not isinstance(sampling, comfy.model_sampling.ModelSamplingDiscrete):
        raise ValueError(
            "The reference timesteps belong to models with a table of timesteps, such as SD1.x, SD2.x and SDXL, and "
            f"this MODEL has none ({type(sampling).__name__}). Choose the consistent timesteps."
        )
    timesteps = sampling.timestep(torch.tensor(schedule.sigmas[:-1])).long()
    return sampling.sigmas.double().cpu()[(timesteps.cpu() - 1).clamp(min=0)].tolist()


def sigmas_tensor(schedule: Schedule) -> Tensor:
    """The schedule as ComfyUI's SIGMAS."""
    return torch.tensor(schedule.sigmas, dtype=torch.float32)
