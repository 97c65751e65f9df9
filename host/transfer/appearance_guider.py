"""Appearance guidance as a GUIDER (Cross-Image Attention, eq. 4, with the reference code's decaying scale).

Two passes under one text: with the transfer, and without it (the unpatched pass). Both are prompt 0 to the patches of
other nodes, in forwards of their own, since these know of prompts 0 and 1 only; what remembers by the id of a
conditioning keeps them apart by ids of their own. Where no layer reads a reference both are the same, and one is
computed.

What ComfyUI lets other nodes change of classifier-free guidance, they change here, too. To them cond is the prediction
with the transfer; uncond and cond_scale are such that uncond + cond_scale * (cond - uncond) is the whole guidance:

- Without text guidance, uncond is the unpatched pass and cond_scale the appearance guidance of this step.
- With text guidance on a step that reads no reference, they are the negative prompt and text_scale.
- With both, see `guidance.appearance.as_one_guidance`.

Functions after guidance (post-CFG) may run the network again and compare, so their uncond and uncond_denoised are a
text and what was predicted under it: the negative where it was run, else the unpatched pass.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import comfy.samplers
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.windows import APPEARANCE_GUIDANCE, Window
from ...guidance.appearance import GUIDANCE_EVERY, as_one_guidance, guidance_scale
from ..models.plain_model import KEY
from .model_patch import current_sessions
from .reference_session import ReferenceSession

UNPATCHED = "unpatched"  # the positive prompt once more, to which ComfyUI gives another id

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True)
class GuidanceSettings:
    """scale falls linearly to end_scale over all executed steps; text_scale is classifier-free guidance. 1 is off.

    every: the unpatched pass runs on every n-th guided step; on the others its last difference to the transferred
        prediction is taken again. 1 is every step, as in the paper.
    """

    scale: float = 3.5
    end_scale: float = 1.75
    window: Window = APPEARANCE_GUIDANCE
    text_scale: float = 1.0
    every: int = GUIDANCE_EVERY

    @classmethod
    def reference_code(cls, **settings: Any) -> "GuidanceSettings":
        """The unpatched pass on every step."""
        return cls(**{"every": 1} | settings)


class AppearanceGuider(comfy.samplers.CFGGuider):
    """denoised = plain + scale * (transferred - plain) + (text_scale - 1) * (plain - negative)

    negative: used where text_scale is not 1, and where another node asks for a prompt 1 in any case (Self-Attention
        Guidance); None is the positive prompt.
    """

    def __init__(self, model: ModelPatcher, positive: list, negative: list | None, settings: GuidanceSettings):
        super().__init__(model)
        if settings.scale != 1.0 and KEY not in model.model_options["transformer_options"]:
            log.warning(
                "scale has no effect: the MODEL of Appearance Guider has no transfer. Connect the MODEL output of "
                "Cross-Image Attention or Semantic Rearrangement to model."
            )
        self.settings = settings
        self._difference: tuple[int, Tensor] | None = None  # of this run: at which step, and transferred less unpatched
        self.set_cfg(settings.text_scale)
        conds = {"positive": positive, UNPATCHED: positive}
        if settings.text_scale != 1.0 or model.model_options.get("disable_cfg1_optimization", False):
            conds["negative"] = positive if negative is None else negative
        self.inner_set_conds(conds)

    def inner_sample(self, *args: Any, **kwargs: Any) -> Tensor:
        """ComfyUI's, after which nothing of the run is kept."""
        try:
            return super().inner_sample(*args, **kwargs)
        finally:
            self._difference = None

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] = {},  # noqa: B006 (ComfyUI's signature)
        seed: Any = None,
    ) -> Tensor:
        asking = _Asking(self.inner_model, x, timestep, model_options)
        positive, negative, text_scale = self.conds["positive"], self.conds.get("negative"), self.settings.text_scale
        run = _open_run(float(timestep.max()), model_options)
        scale = 1.0 if run is None else self._scale_in(run)
        twice = run is not None and (scale != 1.0 or text_scale != 1.0)
        repeated = self._repeated(run, x) if twice and run is not None else None
        unpatched = self.conds[UNPATCHED] if twice and repeated is None else None
        edited, unguided, plain = asking.predictions(positive, negative, unpatched)
        if repeated is not None:
            plain = edited - repeated
        elif run is not None and twice:
            self._difference = run.step, edited - plain
        cond, uncond, cfg = as_one_guidance(plain, edited, scale, unguided, text_scale)
        away_from = negative if text_scale != 1.0 else self.conds[UNPATCHED] if twice else None
        denoised = asking.guided([positive, away_from], [cond, uncond], cfg)
        if negative is None:
            negative, unguided = self.conds[UNPATCHED], plain
        return asking.changed_after(denoised, [positive, negative], [edited, unguided], scale)

    def _repeated(self, run: ReferenceSession, x: Tensor) -> Tensor | None:
        """The last difference that the unpatched pass made, where it is still to be taken at this step."""
        if self._difference is None:
            return None
        step, difference = self._difference
        fresh = 0 <= run.step - step < self.settings.every
        return difference if fresh and step != run.step and difference.shape == x.shape else None

    def _scale_in(self, run: ReferenceSession) -> float:
        """The guidance scale at the step at which a run stands; 1 where guidance is off."""
        percent_to_sigma = self.model_patcher.get_model_object("model_sampling").percent_to_sigma
        if not self.settings.window.contains(run.sigmas[run.step], percent_to_sigma):
            return 1.0
        return guidance_scale(run.step, run.steps, self.settings.scale, self.settings.end_scale)


@dataclass(frozen=True)
class _Asking:
    """One step's latent x [B, C, h, w], and what ComfyUI asks other nodes about when it makes a prediction of it.

    Conditionings and predictions come in pairs, of prompt 0 and prompt 1, as in `comfy.samplers.sampling_function`.
    """

    model: Any
    x: Tensor
    sigma: Tensor
    model_options: dict[str, Any]

    def predictions(self, positive: list, negative: list | None, unpatched: list | None) -> list[Tensor]:
        """Of prompt 0, of prompt 1 (zeros where None), and of prompt 0 without the transfer (where None, with it).

        One call for what is wrapped around it: a cache of steps (EasyCache) skips all of a step or nothing.
        """
        ask = self.model_options.get("sampler_calc_cond_batch_function")
        conds = [positive, negative, unpatched]
        if ask is not None:
            return self._apart(lambda pair: ask(self._about() | {"conds": pair}), conds)

        def apart(executor: Any, model: Any, conds: list, *rest: Any) -> list[Tensor]:
            return self._apart(lambda pair: executor(model, pair, *rest), conds)

        options = comfy.model_patcher.create_model_options_clone(self.model_options)
        innermost = comfy.patcher_extension.WrappersMP.CALC_COND_BATCH
        comfy.patcher_extension.add_wrapper_with_key(innermost, UNPATCHED, apart, options, is_model_options=True)
        return comfy.samplers.calc_cond_batch(self.model, conds, self.x, self.sigma, options)

    def _apart(self, ask: Callable[[list], list[Tensor]], conds: list) -> list[Tensor]:
        """ask: what is predicted under a pair of prompts. conds: a pair, and prompt 0 of the unpatched pass."""
        *pair, unpatched = conds
        predicted = ask(pair)
        if unpatched is None:
            return [*predicted, predicted[0]]
        with ExitStack() as hidden:
            for run in current_sessions(self.model_options):
                hidden.enter_context(run.references_hidden())
            return [*predicted, ask([unpatched, None])[0]]

    def guided(self, conds: Sequence[list | None], predicted: list[Tensor], cfg: float) -> Tensor:
        for function in self.model_options.get("sampler_pre_cfg_function", []):
            about = {"conds": list(conds), "conds_out": predicted, "cond_scale": cfg, "timestep": self.sigma}
            predicted = function(self._about() | about)
        options = {**self.model_options, "sampler_post_cfg_function": []}
        return comfy.samplers.cfg_function(
            self.model, predicted[0], predicted[1], cfg, self.x, self.sigma, options, cond=conds[0], uncond=conds[1]
        )

    def changed_after(self, denoised: Tensor, conds: Sequence[list], predicted: Sequence[Tensor], cfg: float) -> Tensor:
        for function in self.model_options.get("sampler_post_cfg_function", []):
            about = {"cond": conds[0], "uncond": conds[1], "cond_scale": cfg}
            about |= {"cond_denoised": predicted[0], "uncond_denoised": predicted[1]}
            denoised = function(self._about() | about | {"denoised": denoised})
        return denoised

    def _about(self) -> dict[str, Any]:
        return {"model": self.model, "input": self.x, "sigma": self.sigma, "model_options": self.model_options}


def _open_run(sigma: float, model_options: dict[str, Any]) -> ReferenceSession | None:
    """A run of a transfer that reads a reference at this noise level; all runs of a chain stand at one step."""
    return next((run for run in current_sessions(model_options) if run.is_open(sigma)), None)
