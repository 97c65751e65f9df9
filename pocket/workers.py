"""Data-parallel training in equal processes: one thread each on CPU, so that they share a busy machine fairly."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn


class Worker:
    """One of `count` processes. Rank 0 alone writes files and logs."""

    def __init__(self, rank: int, count: int, device: torch.device) -> None:
        self.rank, self.count, self.device = rank, count, device

    @property
    def leads(self) -> bool:
        """True for the one process that writes."""
        return self.rank == 0

    def generator(self, *key: int) -> torch.Generator:
        """Randomness that depends on the key and the rank alone: a resumed run draws what an unbroken one would
        have.
        """
        seed = 0
        for part in (*key, self.rank):
            seed = (seed * 1_000_003 + part + 1) % 2**63
        return torch.Generator().manual_seed(seed)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace every gradient by its mean over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient) / self.count)

    def mean(self, value: float) -> float:
        """The mean over the processes."""
        if self.count == 1:
            return value
        total = torch.tensor([value])
        dist.all_reduce(total)
        return float(total) / self.count

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            dist.barrier()


def launch(function: Callable[..., None], count: int, *arguments: object) -> None:
    """Run `function(worker, *arguments)` in `count` processes (in this one if count is 1 or there is a GPU)."""
    if torch.cuda.is_available():
        function(Worker(0, 1, torch.device("cuda")), *arguments)
        return
    if count == 1:
        torch.set_num_threads(1)
        function(Worker(0, 1, torch.device("cpu")), *arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(_run, (count, Path(folder) / "rendezvous", function, arguments), nprocs=count)


def _run(rank: int, count: int, rendezvous: Path, function: Callable[..., None], arguments: tuple) -> None:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=rendezvous.as_uri(), rank=rank, world_size=count)
    try:
        function(Worker(rank, count, torch.device("cpu")), *arguments)
    finally:
        dist.destroy_process_group()


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where the hardware multiplies it natively."""
    if device.type == "cuda":
        return torch.autocast("cuda", torch.bfloat16)
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.backends.mkldnn.is_available() and _has_bf16())


def _has_bf16() -> bool:
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def unit_learning_rate(step: int, steps: int, warmup: int) -> float:
    """Linear warm-up, then half a cosine down to 1 % of the peak; in units of the peak."""
    if step < warmup:
        return (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return 0.01 + 0.99 * 0.5 * (1.0 + float(torch.cos(torch.tensor(done * torch.pi))))


def to_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A detached copy of a state on the CPU, in plain memory order, ready to be saved."""
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
