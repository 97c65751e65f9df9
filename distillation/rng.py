"""Random numbers that hang on what they are for, and on nothing that was drawn before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded_rng(*seeds: int, device: torch.device) -> Iterator[None]:
    """While this is open PyTorch's default generators start from these whole numbers; then they are as they were."""
    (seed,) = np.random.SeedSequence(seeds).generate_state(1, np.uint64)
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(int(seed))
        yield
