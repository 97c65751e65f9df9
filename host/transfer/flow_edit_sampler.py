"""FlowEdit (guidance/flow_edit.py) as a SAMPLER: the structure image itself is edited, by a transfer or by another
text, at any levels and without inversion.

The guider predicts with the edit. Without it, the same guider predicts while the transfers on its model are off; or, if
the image has a text of its own, the model under that text. Under one text for both, the difference holds exactly what
the references change.
"""

import logging
from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...guidance.flow_edit import Denoise, flow_edit
from ..models.conditioning import processed_prompt
from ..models.plain_model import KEY
from ..runtime.latents import without_frame
from .between_steps import LatentOperation, check_operation, mask_of_step, operated
from .model_patch import current_sessions, transfers_off

log = logging.getLogger("appearance_transfer")

NAME = "FlowEdit Sampler"


class FlowEditSampler(comfy.samplers.Sampler):
    """Edits the latent that is sampled, along the SIGMAS of the run. Nothing stays on it after a run.

    source: the text of the image as it is, a CONDITIONING; None is that of the guider. source_cfg: classifier-free
        guidance under it, away from the guider's negative text.
    between_steps: as of `NoiseMapSampler`; it is given the edited image in the noise of the level it has come to.
    Where the SIGMAS end above 0 (SplitSigmas), the result stands at the last level in noise, so that another sampler
    may go on from there without adding any.
    """

    def __init__(
        self, source: list | None = None, source_cfg: float = 1.0, between_steps: LatentOperation | None = None
    ):
        self.source = source
        self.source_cfg = source_cfg
        self.between_steps = between_steps

    def sample(
        self, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        run = _Run(self, guider, sigmas, extra_args, latent_image, denoise_mask, callback)
        return run.edited() if run.changes_something() else latent_image


class _Run:
    """One run of the sampler."""

    def __init__(
        self,
        sampler: FlowEditSampler,
        guider: Any,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        image: Tensor,
        denoise_mask: Tensor | None,
        callback: Callable[..., None] | None,
    ):
        self.sampler = sampler
        self.guider = guider
        self.sigmas = sigmas
        self.levels = [float(sigma) for sigma in sigmas]
        self.seed = extra_args.get("seed")
        self.model_options = extra_args["model_options"]
        self.image = image
        self.mask = denoise_mask
        self.callback = callback
        self.model_sampling = guider.model_patcher.get_model_object("model_sampling")
        self.draws = torch.Generator().manual_seed(self.seed or 0)

    def changes_something(self) -> bool:
        """Whether there is an edit; says so where a transfer is there with strength 0.

        Raises ValueError where nothing is connected that could be one, and for a between_steps that does not fit.
        """
        transfers = KEY in self.model_options.get("transformer_options", {})
        if self.sampler.source is None and not transfers:
            raise ValueError(
                f"{NAME} has nothing to change: the MODEL that samples has no transfer, and no text is connected to "
                "source. Connect Cross-Image Attention or Semantic Rearrangement before the guider, or the text of "
                "the image as it is to source."
            )
        if self.sampler.source is None and not current_sessions(self.model_options):
            log.warning("%s has no effect: the transfer on the MODEL has strength 0. The image stays as it is.", NAME)
            return False
        shape = without_frame(self.image).shape
        check_operation(self.sampler.between_steps, shape, self.levels, self.model_sampling.percent_to_sigma)
        return True

    def edited(self) -> Tensor:
        log.info(
            "%s: %d steps from sigma %.2f to %.2f, each predicted with the edit and without it.",
            NAME, len(self.levels) - 1, self.levels[0], self.levels[-1],
        )  # fmt: skip
        plain = self._without_transfers if self.sampler.source is None else self._under(self.sampler.source)
        edited = flow_edit(
            self._guided,
            plain,
            self._noised,
            self.image,
            self.levels,
            after_step=self._after_step,
            on_step=self._on_step,
        )
        last = self.sigmas[-1]
        return self.model_sampling.inverse_noise_scaling(last, self._in_noise_of(edited, self._noised(self.levels[-1])))

    # ---- predictions

    def _guided(self, x: Tensor, sigma: float) -> Tensor:
        level = x.new_tensor([sigma]).expand(len(x))
        return self.guider(x, level, model_options=self.model_options, seed=self.seed)

    def _without_transfers(self, x: Tensor, sigma: float) -> Tensor:
        with transfers_off(self.model_options):
            return self._guided(x, sigma)

    def _under(self, text: list) -> Denoise:
        """What the model predicts under a text, without the transfers."""
        model, cfg = self.guider.inner_model, self.sampler.source_cfg
        prompt = processed_prompt(model, text, self.image, self.seed)
        negative = self.guider.conds.get("negative") if cfg != 1.0 else None
        if cfg != 1.0 and not negative:
            raise ValueError(
                f"source_cfg is {cfg:g}, which needs a negative text, and the guider has none. Use a CFG Guider, or "
                "set source_cfg to 1."
            )

        def predict(x: Tensor, sigma: float) -> Tensor:
            level = x.new_tensor([sigma]).expand(len(x))
            with transfers_off(self.model_options):
                return comfy.samplers.sampling_function(
                    model, x, level, negative, prompt, cfg, model_options=self.model_options, seed=self.seed
                )

        return predict

    # ---- the image between the steps

    def _noised(self, sigma: float) -> Tensor:
        """The image in noise of a level; one draw for all images, so that a batch is what its images are alone."""
        if sigma == 0:
            return self.image
        noise = torch.randn(1, *self.image.shape[1:], generator=self.draws).to(self.image).expand_as(self.image)
        return self.model_sampling.noise_scaling(self.image.new_tensor(sigma), noise, self.image)

    def _in_noise_of(self, edited: Tensor, source: Tensor) -> Tensor:
        return source + (edited - self.image)

    def _after_step(self, edited: Tensor, i: int) -> Tensor:
        sigma, below = self.levels[i : i + 2]
        if self.sampler.between_steps is not None:
            source = self._noised(below)
            x = operated(
                self.sampler.between_steps,
                self._in_noise_of(edited, source),
                (sigma, below),
                self.model_sampling.percent_to_sigma,
                self.model_options,
            )
            edited = x - source + self.image
        if self.mask is not None:
            mask = mask_of_step(self.mask, self.guider, self.sigmas, i, self.model_options)
            edited = self.image + (edited - self.image) * mask
        return edited

    def _on_step(self, i: int, edited: Tensor) -> None:
        if self.callback is not None:
            self.callback(i, edited, edited, len(self.levels) - 1)
