"""The forwards of references beside one step of a run, and what a method captures in them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch

from ...attention.recorded_bytes import recorded_bytes
from ..runtime.forward_size import batches_per_forward
from .feature_cache import CapturedReference
from .method import TransferMethod
from .network import NetworkPatch
from .recording_room import RecordingRoom, images_read
from .references import ModelCall, RecordedReference, ReplayedReference


@dataclass(frozen=True)
class ReferenceForwards:
    """Runs references beside a model call, for one step.

    prompts: under which of their prompts (POSITIVE, NEGATIVE). shape: of the latents that are sampled, [B, C, h, w].
    """

    method: TransferMethod
    network: NetworkPatch
    call: ModelCall
    prompts: Sequence[int]
    shape: Sequence[int]
    room: RecordingRoom

    def read(self, references: Sequence[RecordedReference], sigmas: Sequence[float]) -> list[list[CapturedReference]]:
        """For each of these noise levels what each reference offers there; one forward for each reference."""
        kept_on = self._kept_on(references, len(sigmas))
        captured = []
        for reference in references:
            captured.append(CapturedReference(reference.image_indices(self.shape[0]), kept_on))
            reference.read(self.call, self.prompts, self._capturing(captured[-1]), sigmas)
        return [list(of_level) for of_level in zip(*(each.split(len(sigmas)) for each in captured), strict=True)]

    def replay(
        self, references: Sequence[ReplayedReference], reading: Sequence[ReplayedReference]
    ) -> list[CapturedReference]:
        """Move all references on to the next level; what those offer here that the step reads."""
        kept_on = self._kept_on(reading, 1) if reading else None
        captured = []
        for reference in references:
            if reference in reading:
                captured.append(CapturedReference(reference.image_indices(self.shape[0]), kept_on))
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
        rows = max(reference.distinct.images for reference in references) * len(self.prompts)
        largest = max((reference.distinct.x0[0] for reference in references), key=lambda latent: latent.numel())
        kept = self.recorded(references, 1)
        return batches_per_forward(model, device, [rows, *largest.shape], requested, kept_bytes=kept)

    def recorded(self, references: Sequence[RecordedReference], levels: int) -> int:
        """Bytes of what they offer at so many levels."""
        value = comfy.model_management.dtype_size(self.call.guider.inner_model.get_dtype_inference())
        images = images_read(references, self.prompts, self.network, self.method)
        return recorded_bytes(images, value, levels).whole

    def _kept_on(self, references: Sequence[RecordedReference], levels: int) -> torch.device | None:
        """Where what they offer at so many levels waits: beside the largest forward, theirs or that of the output."""
        forwards = [self.shape]
        forwards += [[levels * len(self.prompts) * len(r.distinct.x0), *r.distinct.x0.shape[1:]] for r in references]
        largest = max(forwards, key=math.prod)
        device, recorded = self.call.sigma.device, self.recorded(references, levels)
        return self.room.device_for(self.call.guider.inner_model, device, largest, recorded)
