"""The same graph on a pretended GPU and on the CPU, and everything that came of it held side by side."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import isroutine
from typing import Any

import torch
from appearance_transfer.developer.client import Graph
from torch import Tensor

from .device import PretendedTensor, on_gpu

SAME = 1e-6  # relative to the largest number
PLAIN_FLOATS = ("IMAGE", "MASK", "LATENT")  # ComfyUI expects them in fp32, on the CPU
Found = dict[str, Tensor | int | float]


class Machines:
    """One host, of which each graph runs on the pretended GPU, and on the CPU to compare."""

    def __init__(self, host: Any) -> None:
        self.host = host

    def forget(self) -> None:
        """Drop what ComfyUI has cached, and what it has loaded."""
        self._unload()
        self.host.forget()

    def same(self, graph: Graph, within: float = SAME) -> Found:
        """Run a graph on both, and compare the numbers in every output of every node; gives those of the GPU.

        Everything but models has to be on the CPU, images in fp32. Once the models are unloaded nothing is left on
        the GPU, though ComfyUI still holds every output.
        """
        found = self.on_gpu(graph)
        with self.cpu():
            expected = self.on_cpu(graph)
        assert found.keys() == expected.keys()
        for name, value in found.items():
            assert difference(torch.as_tensor(value), torch.as_tensor(expected[name])) <= within, name
        return found

    def on_gpu(self, graph: Graph) -> Found:
        """Run a graph on the GPU: what its outputs hold, by path."""
        outputs = self._run(graph)
        found = {}
        for (name, kind), output in outputs.items():
            for path, value in numbers_in(output, name):
                assert not isinstance(value, PretendedTensor), f"{path} is on the GPU"
                if isinstance(value, Tensor) and kind in PLAIN_FLOATS:
                    assert value.dtype == torch.float32, path
                found[path] = value
        self._unload()
        assert not on_gpu(), f"left on the GPU: {on_gpu()}"
        return found

    def on_cpu(self, graph: Graph) -> Found:
        """Run a graph on the CPU, within `cpu`."""
        outputs = self._run(graph)
        return {path: value for (name, _), output in outputs.items() for path, value in numbers_in(output, name)}

    @contextmanager
    def cpu(self) -> Iterator[None]:
        """Within, ComfyUI finds no GPU."""
        import comfy.model_management as management

        before = management.cpu_state, management.vram_state
        self.forget()
        management.cpu_state, management.vram_state = management.CPUState.CPU, management.VRAMState.DISABLED
        try:
            yield
        finally:
            self.forget()
            management.cpu_state, management.vram_state = before

    def _unload(self) -> None:
        import comfy.model_management

        comfy.model_management.unload_all_models()
        comfy.model_management.reset_cast_buffers()  # through which it streams weights, and which it keeps

    def _run(self, graph: Graph) -> dict[tuple[str, str], Any]:
        """Every output of every node, by its name and its type."""
        sockets = {
            f"{name} {index}": (name, index, kind)
            for name, node in graph.items()
            for index, kind in enumerate(self.host.nodes[node["class_type"]].RETURN_TYPES)
        }
        outcome = self.host.run(graph, **{socket: (name, index) for socket, (name, index, _) in sockets.items()})
        return {(socket, kind): getattr(outcome, socket) for socket, (_, _, kind) in sockets.items()}


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    assert found.shape == expected.shape
    if torch.equal(found, expected):
        return 0.0
    found, expected = found.double(), expected.double()
    return float((found - expected).abs().max() / expected.abs().max())


def numbers_in(thing: Any, path: str, seen: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Every tensor and number inside something that flows between nodes, with the path to it.

    Models are left out: ComfyUI moves those.
    """
    from comfy.model_patcher import ModelPatcher
    from comfy.sd import CLIP, VAE

    seen = set() if seen is None else seen
    if path.endswith("pooled_output"):  # SD1's text encoder has no projection: ComfyUI leaves it as the memory was
        return
    if isinstance(thing, (Tensor, int, float)):
        yield path, thing
        return
    if id(thing) in seen or isroutine(thing) or isinstance(thing, (str, type, ModelPatcher, CLIP, VAE)):
        return
    seen.add(id(thing))
    if isinstance(thing, dict):
        inside = thing.items()
    elif isinstance(thing, (list, tuple)):
        inside = enumerate(thing)
    else:
        inside = getattr(thing, "__dict__", {}).items()
    for name, part in inside:
        yield from numbers_in(part, f"{path} {name}", seen)
