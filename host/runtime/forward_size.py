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
    free = model.current_patcher.get_free_memory(device)
    for count in range(min(requested, MOST_ROWS // rows), 1, -1):
        if model.memory_required([count * rows, *shape]) * MARGIN + count * kept_bytes < free:
            return count
    return 1
