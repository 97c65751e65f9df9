"""A pack for measurements only: counts how many samples a MODEL's network evaluates while a graph runs.

Wire the MODEL through `Count Evaluations`, and read the count once everything that uses it has been computed. Every
clone that later nodes make of the counted MODEL counts into the same sum, and so does every row of a batch, the
unconditional ones included.
"""

from collections.abc import Callable
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import ComfyExtension, io, ui

CATEGORY = "benchmark"
Count = io.Custom("BENCHMARK_EVALUATION_COUNT")


class Samples:
    """A sum that the wrapper adds to."""

    def __init__(self) -> None:
        self.total = 0

    def wrapper(
        self, network: Callable[..., torch.Tensor], x: torch.Tensor, *rest: Any, **options: Any
    ) -> torch.Tensor:
        """Runs the network on x [B, ...] and adds B."""
        self.total += x.shape[0]
        return network(x, *rest, **options)


class CountEvaluations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchmarkEvaluationCounter",
            display_name="Count Evaluations",
            category=CATEGORY,
            description="Counts the samples that the model's network evaluates, from zero at every run.",
            inputs=[io.Model.Input("model")],
            outputs=[io.Model.Output(), Count.Output("count")],
        )

    @classmethod
    def fingerprint_inputs(cls, model: ModelPatcher | None) -> float:
        return float("nan")  # a new one each time (math.nan is itself): all that follows runs again

    @classmethod
    def execute(cls, model: ModelPatcher) -> io.NodeOutput:
        samples, counted = Samples(), model.clone()
        counted.add_wrapper(WrappersMP.DIFFUSION_MODEL, samples.wrapper)
        return io.NodeOutput(counted, samples)


class ReadEvaluations(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="BenchmarkEvaluationsRead",
            display_name="Read Evaluations",
            category=CATEGORY,
            description="Tells the count as text, after the other input has been computed.",
            inputs=[Count.Input("count"), io.AnyType.Input("after")],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, count: Samples, after: Any) -> io.NodeOutput:
        return io.NodeOutput(ui=ui.PreviewText(str(count.total)))


class EvaluationCounter(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [CountEvaluations, ReadEvaluations]


async def comfy_entrypoint() -> EvaluationCounter:
    return EvaluationCounter()
