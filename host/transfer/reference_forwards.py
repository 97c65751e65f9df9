"""The forwards of references beside one step of a run, and what a method captures in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management

from ..runtime.forward_size import batches_per_forward
from .feature_cache import CapturedReference
from .method import TransferMethod
from .network import NetworkPatch
from .references import ModelCall, RecordedReference, ReplayedReference


@dataclass(frozen=True)
class ReferenceForwards:
    """Runs references beside a model call, for one step.

    prompts: under which of their prompts (POSITIVE, NEGATIVE). outputs: how many images are sampled.
    """

    method: TransferMethod
    network: NetworkPatch
    call: ModelCall
    prompts: Sequence[int]
    outputs: int

    def read(self, references: Sequence[RecordedReference], sigmas: Sequence[float]) -> list[list[CapturedReference]]:
        """For each of these noise levels what each reference offers there; one forward for each reference."""
        captured = []
        for reference in references:
            captured.append(CapturedReference(reference.image_indices(self.outputs)))
            reference.read(self.call, self.prompts, self._capturing(captured[-1]), sigmas)
        return [list(of_level) for of_level in zip(*(each.split(len(sigmas)) for each in captured), strict=True)]

    def replay(
        self, references: Sequence[ReplayedReference], reading: Sequence[ReplayedReference]
    ) -> list[CapturedReference]:
        """Move all references on to the next level; what those offer here that the step reads."""
        captured = []
        for reference in references:
            if reference in reading:
                captured.append(CapturedReference(reference.image_indices(self.outputs)))
                patches = self._capturing(captured[-1])
                reference.replay(self.call, self.prompts, patches, self.method.cfg)
            else:
                reference.replay(self.call, (), {}, self.method.cfg)
        return captured

    def _capturing(self, captured: CapturedReference) -> dict[str, Any]:
        """Entries of transformer_options that write what a forward offers."""
        return self.network.capturing(self.method, captured, self.call.model_options)

    def levels_that_fit(self, references: Sequence[RecordedReference], requested: int) -> int:
        """How many of so many noise levels may share a forward of each reference; 1 on a CPU."""
        conds = (cond for prompt in self.call.guider.conds.values() for cond in prompt)
        if any(cond.get("hooks") is not None for cond in conds):  # which may change the weights from level to level
            return 1
        model, device = self.call.guider.inner_model, self.call.sigma.device
        value = comfy.model_management.dtype_size(model.get_dtype_inference())
        kept = 0
        rows = 1
        for reference in references:
            images = reference.distinct.images * len(self.prompts)
            kept += value * self.network.captured_values(self.method, images * reference.distinct.x0[0, 0].numel())
            rows = max(rows, images)
        largest = max((reference.distinct.x0[0] for reference in references), key=lambda latent: latent.numel())
        return batches_per_forward(model, device, [rows, *largest.shape], requested, kept_bytes=kept)
