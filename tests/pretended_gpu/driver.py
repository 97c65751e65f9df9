"""What `torch.cuda` answers while the pretended GPU is on: one card of a usual kind, with room."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
import torch._dynamo  # which makes a table of the functions of torch.cuda: before they are replaced

from .device import PretendedGPU, attention_of_the_cpu, cuda, to

ROOM = 12 * 2**30  # bytes
PROPERTIES = SimpleNamespace(
    name="Pretended GPU", major=8, minor=6, total_memory=ROOM, multi_processor_count=28, gcnArchName="", warp_size=32
)  # what a mid-range card of 2020 says of itself: fp16 and bf16, no fp8


class Stream:
    """A stream in which nothing is ever late."""

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        self.device = torch.device("cuda", 0)

    def wait_stream(self, other: Stream) -> None:
        pass

    def synchronize(self) -> None:
        pass


@contextlib.contextmanager
def switched_on() -> Iterator[PretendedGPU]:
    """A process with one GPU, as far as its programs can tell. Before ComfyUI is imported: it looks only then."""
    gpu = PretendedGPU()
    answers = _answers(gpu)
    with contextlib.ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(mock.patch.object(torch.cuda, name, answer))
        for name in ("tensor", "as_tensor"):
            stack.enter_context(mock.patch.object(torch, name, _created_on_the_cpu(getattr(torch, name))))
        for method in (to, cuda):
            stack.enter_context(mock.patch.object(torch.Tensor, method.__name__, method))
        usual = torch.nn.functional.scaled_dot_product_attention
        stack.enter_context(
            mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", attention_of_the_cpu(usual))
        )
        stack.enter_context(gpu)
        yield gpu


def _answers(gpu: PretendedGPU) -> dict[str, Any]:
    current = Stream()

    def seed(number: int) -> None:
        gpu.draws = torch.Generator().manual_seed(int(number)).get_state()

    def keep(state: torch.Tensor, device: Any = 0) -> None:
        gpu.draws = state

    def nothing(*_: Any, **__: Any) -> None:
        pass

    return {
        "_lazy_init": nothing,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "set_device": nothing,
        "get_device_name": lambda device=None: PROPERTIES.name,
        "get_device_properties": lambda device=None: PROPERTIES,
        "get_device_capability": lambda device=None: (PROPERTIES.major, PROPERTIES.minor),
        "is_bf16_supported": lambda including_emulation=True: True,
        "mem_get_info": lambda device=None: (ROOM * 3 // 4, ROOM),
        "memory_stats": lambda device=None: defaultdict(int),
        "get_allocator_backend": lambda: "native",
        "empty_cache": nothing,
        "ipc_collect": nothing,
        "synchronize": nothing,
        "Stream": Stream,
        "current_stream": lambda device=None: current,
        "stream": lambda stream: contextlib.nullcontext(),
        "is_current_stream_capturing": lambda: False,
        "cudart": lambda: SimpleNamespace(
            cudaHostRegister=lambda *_: 0,
            cudaHostUnregister=lambda *_: 0,
        ),
        "manual_seed": seed,
        "manual_seed_all": seed,
        "get_rng_state": lambda device=0: gpu.draws,
        "set_rng_state": keep,
    }


def _created_on_the_cpu(make: Any) -> Any:
    """`torch.tensor` asks the driver before it becomes an operation; so it is made on the CPU, and moved."""

    def created(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> torch.Tensor:
        tensor = make(data, *args, **kwargs)
        return tensor if device is None else tensor.to(torch.device(device))

    return created
