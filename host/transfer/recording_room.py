"""Where what references offer is kept until the output reads it: beside the network, or on the CPU where a card is
short of memory.
"""

import logging
from collections.abc import Sequence
from typing import Any

import comfy.model_management
import torch

from ...attention.recorded_bytes import RecordedLayer
from ..runtime.forward_size import free_beside_forward
from ..runtime.progress_text import format_mib
from .method import TransferMethod
from .network import NetworkPatch
from .references import RecordedReference

log = logging.getLogger("appearance_transfer")
CPU = torch.device("cpu")


class RecordingRoom:
    """Decides it for one run, by ComfyUI's own account of memory, and says once that a card is short.

    name: of the method, for that sentence.
    """

    def __init__(self, name: str):
        self.name = name
        self._has_asked = False
        self._has_said = False

    def device_for(self, model: Any, device: torch.device, batch: Sequence[int], recorded: int) -> torch.device | None:
        """Where to keep so many bytes, beside a forward of a batch of latents [rows, C, h, w]; None is on its device.

        model: ComfyUI's BaseModel, loaded. The first time that it is short, ComfyUI unloads other models first.
        """
        if device.type == "cpu":
            return None
        free = free_beside_forward(model, device, batch)
        if recorded >= free and not self._has_asked:
            self._has_asked = True
            _unload_others(device, recorded - free)
            free = free_beside_forward(model, device, batch)
        if recorded < free:
            return None
        if not self._has_said:
            self._has_said = True
            log.info(
                "%s: a step records %s and %s are free beside the network, so what is recorded is kept on the CPU "
                "and brought back block by block. The result is the same.",
                self.name,
                format_mib(recorded),
                format_mib(max(0, free)),
            )
        return CPU


def images_read(
    references: Sequence[RecordedReference], prompts: Sequence[int], network: NetworkPatch, method: TransferMethod
) -> list[list[RecordedLayer]]:
    """What is recorded of each image of some references under each of these prompts, for `recorded_bytes`."""
    return [
        network.recorded_layers(method, reference.inversion.size)
        for reference in references
        for _ in range(reference.distinct.images * len(prompts))
    ]


def _unload_others(device: torch.device, lacking: int) -> None:
    """Let ComfyUI unload from a device what does not sample now, until so many bytes more are free."""
    management = comfy.model_management
    in_use = [loaded for loaded in management.current_loaded_models if loaded.currently_used]
    management.free_memory(management.get_free_memory(device) + lacking, device, keep_loaded=in_use)
