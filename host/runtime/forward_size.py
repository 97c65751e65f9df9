"""How much one forward may hold, by ComfyUI's own account of memory.

On a GPU small forwards cost mostly their launch, so what is known beforehand shares one. On a CPU nothing is gained.
"""

from collections.abc import Sequence
from typing import Any

import torch

MOST_ROWS = 64
"""Beyond this a GPU gains nothing more, and a run could not be interrupted for long."""
MARGIN = 1.5  # as ComfyUI leaves it where it puts prompts into one forward


def batches_per_forward(
    model: Any, device: torch.device, batch: Sequence[int], requested: int, *, kept_bytes: int = 0
) -> int:
    """How many of `requested` batches of latents may share one forward, at least 1; 1 on a CPU.

    model: ComfyUI's BaseModel, loaded. batch: the shape of one, [rows, C, h, w]. kept_bytes: what is kept of each
    batch after the forward.
    """
    if device.type == "cpu":
        return 1
    rows, *shape = batch
    for count in range(min(requested, MOST_ROWS // rows), 1, -1):
        if count * kept_bytes < free_beside_forward(model, device, [count * rows, *shape]):
            return count
    return 1


def free_beside_forward(model: Any, device: torch.device, batch: Sequence[int]) -> int:
    """How many bytes of a device a forward of a batch [rows, C, h, w] leaves; below 0 where it hardly fits itself."""
    return int(model.current_patcher.get_free_memory(device) - model.memory_required(list(batch)) * MARGIN)
