"""Appearance guidance as a GUIDER (Cross-Image Attention, eq. 4, with the released code's decaying scale).

Two passes of one prompt: with the transfer (row 0, which cross-image attention edits) and without it (its twin).
Where no attention layer reads a reference the two are the same, so the twin is not computed.
"""

from dataclasses import dataclass
from typing import Any

import comfy.samplers
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..attention.windows import APPEARANCE_GUIDANCE, Window
from ..guidance.appearance import guidance_scale, guide
from .patching import current_runs
from .run import Run


@dataclass(frozen=True)
class GuidanceSettings:
    """scale falls linearly to end_scale over all executed steps; text_scale is classifier-free guidance. 1 is off."""

    scale: float = 3.5
    end_scale: float = 1.75
    window: Window = APPEARANCE_GUIDANCE
    text_scale: float = 1.0


class AppearanceGuider(comfy.samplers.CFGGuider):
    """denoised = plain + scale * (transferred - plain) + (text_scale - 1) * (plain - negative)"""

    def __init__(self, model: ModelPatcher, positive: list, negative: list | None, settings: GuidanceSettings):
        super().__init__(model)
        self.settings = settings
        self.set_cfg(settings.text_scale)
        conds = {"positive": positive}
        if negative is not None and settings.text_scale != 1.0:
            conds["negative"] = negative
        self.inner_set_conds(conds)

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] = {},  # noqa: B006 (the host's signature)
        seed: Any = None,
    ) -> Tensor:
        positive = self.conds["positive"]
        negative = self.conds.get("negative")
        run = _open_run(float(timestep.max()), model_options)
        scale = 1.0 if run is None else self._scale_in(run)
        twin = positive if run is not None and (scale != 1.0 or negative is not None) else None
        wanted = [positive, negative, twin]  # numbered as the host does, with the twin as a third that no patch edits
        edited, unguided, plain = comfy.samplers.calc_cond_batch(self.inner_model, wanted, x, timestep, model_options)
        plain = edited if twin is None else plain
        denoised = guide(plain, edited, scale, None if negative is None else unguided, self.settings.text_scale)
        return self._post_cfg(denoised, edited, plain, scale, x, timestep, model_options)

    def _scale_in(self, run: Run) -> float:
        """The guidance scale at the step at which a run stands; 1 where guidance is off."""
        if not self.settings.window.contains(run.step):
            return 1.0
        return guidance_scale(run.step, run.steps, self.settings.scale, self.settings.end_scale)

    def _post_cfg(
        self,
        denoised: Tensor,
        edited: Tensor,
        plain: Tensor,
        scale: float,
        x: Tensor,
        sigma: Tensor,
        model_options: dict[str, Any],
    ) -> Tensor:
        """Let the post-CFG functions of other nodes (perturbed attention, rescaling) see what they expect."""
        for function in model_options.get("sampler_post_cfg_function", []):
            positive = self.conds["positive"]
            denoised = function(
                {
                    "denoised": denoised,
                    "cond": positive,
                    "uncond": positive,
                    "cond_scale": scale,
                    "model": self.inner_model,
                    "uncond_denoised": plain,
                    "cond_denoised": edited,
                    "sigma": sigma,
                    "model_options": model_options,
                    "input": x,
                }
            )
        return denoised


def _open_run(sigma: float, model_options: dict[str, Any]) -> Run | None:
    """A run of a transfer that reads a reference at this noise level; all runs of a chain stand at one step."""
    return next((run for run in current_runs(model_options) if run.is_open(sigma)), None)
