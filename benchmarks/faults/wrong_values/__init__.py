"""A pack of its own for ComfyUI, used by the reliability benchmark: values that no node should take, and a census.

ComfyUI loads it by its path beside the pack under test, so nothing of that is imported here.
"""

import json
import math
import os
import threading
from pathlib import Path

import folder_paths
from comfy_api.latest import ComfyExtension, io, ui

from .stand_ins import STAND_INS
from .values import VALUES


class WrongValue(io.ComfyNode):
    """Hands out any of the values through a socket that goes with every input."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Reliability_WrongValue",
            category="reliability",
            inputs=[io.String.Input("kind")],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def execute(cls, kind) -> io.NodeOutput:
        return io.NodeOutput(VALUES[kind]())


class StandIn(io.ComfyNode):
    """Hands out a tiny network of random weights of one of the types of the pack under test."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Reliability_StandIn",
            category="reliability",
            inputs=[io.String.Input("kind")],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def execute(cls, kind) -> io.NodeOutput:
        return io.NodeOutput(STAND_INS[kind]())


class Fresh(io.ComfyNode):
    """Hands a value on, and is never cached: all that follows runs anew."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Reliability_Fresh",
            category="reliability",
            inputs=[io.AnyType.Input("value")],
            outputs=[io.AnyType.Output()],
        )

    @classmethod
    def fingerprint_inputs(cls, value) -> float:
        return math.nan * 1.0  # a new object each time

    @classmethod
    def execute(cls, value) -> io.NodeOutput:
        return io.NodeOutput(value)


class Census(io.ComfyNode):
    """Counts what a run may leave behind, as JSON: on a MODEL, in this process and in its folders."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="Reliability_Census",
            category="reliability",
            inputs=[io.Model.Input("model")],
            is_output_node=True,
        )

    @classmethod
    def fingerprint_inputs(cls, model) -> float:
        return math.nan * 1.0

    @classmethod
    def execute(cls, model) -> io.NodeOutput:
        import psutil

        modules = list(model.model.modules())
        hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        process = psutil.Process()
        folders = (folder_paths.get_output_directory(), folder_paths.get_temp_directory())
        counted = {
            "hooks": sum(len(getattr(module, name, None) or ()) for module in modules for name in hooks),
            "replaced forwards": sum("forward" in vars(module) for module in modules),
            "patches": len(model.patches) + len(model.object_patches) + len(model.object_patches_backup),
            "options": len(json.dumps(model.model_options, default=lambda one: type(one).__name__)),
            "threads": threading.active_count(),
            "open files": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
            "unfinished files": sum(
                path.name.startswith(".") or path.suffix == ".part"
                for folder in folders for path in Path(folder).rglob("*")
            ),
            "process": process.pid,
            "memory": process.memory_info().rss,
        }  # fmt: skip
        return io.NodeOutput(ui=ui.PreviewText(json.dumps(counted)))


class ReliabilityPack(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [WrongValue, StandIn, Fresh, Census]


async def comfy_entrypoint() -> ReliabilityPack:
    return ReliabilityPack()
