"""A pack for measurements only: counts how many samples a MODEL's network evaluates while a graph runs, node by node,
and in how many forwards, and takes the most memory that was used meanwhile.

Wire the MODEL through `Count Evaluations` before everything else, and `Read Evaluations` after the last node that
samples. The count is taken at the network itself, so nothing passes it by: not the unconditional rows, not the
forwards that a node makes for reference images, not the clones that later nodes make of the MODEL.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import ComfyExtension, io
from comfy_execution.utils import get_executing_context

CATEGORY = "benchmark"
Count = io.Custom("BENCHMARK_EVALUATION_COUNT")


class PeakMemory:
    """The most memory from now on, in bytes: of the GPU, or of this process where there is none and Linux tells it."""

    STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self) -> None:
        self._since_now = torch.cuda.is_available() or self._begin_anew()
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def read(self) -> int | None:
        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
        if not self._since_now:
            return None
        status = dict(line.split(":", 1) for line in self.STATUS.read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024

    def _begin_anew(self) -> bool:
        """Let the high-water mark of this process begin anew; False where the system does not."""
        try:
            self.RESET.write_text("5")
        except OSError:
            return False
        return self.STATUS.exists()


class EvaluationCount:
    """Samples that went through a network, by the id of the node that was running."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.by_node: Counter[str] = Counter()
        self.forwards = 0
        self.memory = PeakMemory()
        self._hook = network.register_forward_pre_hook(self._count)

    def _count(self, network: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        context = get_executing_context()
        self.by_node[context.node_id if context else "outside"] += inputs[0].shape[0]  # x [B, C, h, w]
        self.forwards += 1

    def close(self) -> None:
        """Leave the network as it was."""
        self._hook.remove()


class CountEvaluations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchmarkCountEvaluations",
            display_name="Count Evaluations",
            category=CATEGORY,
            description="Counts the samples that the model's network evaluates, from zero at every run.",
            inputs=[io.Model.Input("model")],
            outputs=[io.Model.Output(), Count.Output("count")],
        )

    @classmethod
    def fingerprint_inputs(cls, model: ModelPatcher | None) -> float:
        return float("nan")  # a new one each time (math.nan is itself): this node and all that follows run again

    @classmethod
    def execute(cls, model: ModelPatcher) -> io.NodeOutput:
        return io.NodeOutput(model, EvaluationCount(model.model.diffusion_model))


class ReadEvaluations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchmarkReadEvaluations",
            display_name="Read Evaluations",
            category=CATEGORY,
            description="Ends the count once the other input has been computed, and tells as JSON: samples by node, "
            "forwards, the most memory in bytes.",
            inputs=[Count.Input("count"), io.AnyType.Input("after")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, count: EvaluationCount, after: Any) -> io.NodeOutput:
        count.close()
        found = (count.by_node, count.forwards, count.memory.read())
        return io.NodeOutput(ui={"text": [json.dumps(value) for value in found]})


class EvaluationCounter(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [CountEvaluations, ReadEvaluations]


async def comfy_entrypoint() -> EvaluationCounter:
    return EvaluationCounter()
