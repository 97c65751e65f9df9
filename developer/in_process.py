"""The real ComfyUI inside this process: its loaders, its nodes and its executor, without server or sockets.

Tests use it where they want the very objects that flow between nodes. The pack is loaded by ComfyUI's own loader,
through a one-line pack that hands over the `appearance_transfer` that the tests import, so that a class is the same
class on both sides. (That the real folder loads by path is what the server tests show.)
"""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from .client import Graph, GraphError, PromptResult, rejection
from .object_info import OURS, with_defaults
from .paths import PACK_NAME
from .server import has_accelerator

FRONT_DOOR = "from appearance_transfer import comfy_entrypoint\n"
KEEP = "TestKeep"


class Host:
    """ComfyUI in this process. There can be one; `boot` makes it.

    It computes attention by torch's fused kernel, its own choice on NVIDIA cards. For a CPU it would choose one that
    builds maps in chunks, as large as the free memory allows: several times slower at 64 x 64 positions.

    nodes: id -> node class, everything that ComfyUI has registered.
    """

    def __init__(self, comfyui: Path, home: Path) -> None:
        """`comfyui`: ComfyUI's folder. `home`: an empty folder that takes its input, output, temp and user files."""
        sys.path.insert(0, str(comfyui))  # before everything else: ComfyUI's modules have names like `nodes`
        from comfy.cli_args import args

        args.cpu = not has_accelerator()
        args.use_pytorch_cross_attention = True
        args.base_directory = str(home)
        args.disable_api_nodes = True
        import execution
        import nodes

        asyncio.run(_boot(home))
        self.nodes: dict[str, Any] = nodes.NODE_CLASS_MAPPINGS
        self._kept: dict[str, Any] = {}
        self.nodes[KEEP] = _keeper(self._kept)
        self._execution = execution
        self.forget()

    def forget(self) -> None:
        """Drop every cached result, so that the next run computes everything anew."""
        limits = {"lru": 0, "ram": 0, "ram_inactive": 0}
        classic = self._execution.CacheType.CLASSIC
        self._executor = self._execution.PromptExecutor(_no_server(), cache_type=classic, cache_args=limits)

    def run(self, graph: Graph, **sockets: tuple[str, int]) -> SimpleNamespace:
        """Run a graph; gives what flows out of the wanted sockets: `run(graph, image=("decode", 0)).image`.

        The result also has `.outcome`, what the page would be told. Raises `GraphError` as the real server's client
        does, and completes the graph as it does.
        """
        graph = with_defaults(graph, self._about(graph))
        for name, (node, index) in sockets.items():
            graph[f"keep {name}"] = {"class_type": KEEP, "inputs": {"value": [node, index], "name": name}}
        valid, error, outputs, node_errors = asyncio.run(self._execution.validate_prompt("test", graph, None))
        if not valid:
            raise rejection(error, node_errors)
        self._kept.clear()
        self._executor.execute(graph, "test", {}, outputs)
        events = dict(self._executor.status_messages)
        if "execution_error" in events:
            failure = events["execution_error"]
            text, kind = failure["exception_message"].strip(), failure["exception_type"]
            raise GraphError(text, "failed", failure["node_id"], kind)
        if "execution_interrupted" in events:
            raise GraphError("The run was interrupted.", "interrupted", events["execution_interrupted"]["node_id"])
        outcome = PromptResult(self._executor.history_result["outputs"], cached=events["execution_cached"]["nodes"])
        return SimpleNamespace(outcome=outcome, **self._kept)

    def _about(self, graph: Graph) -> dict[str, Any]:
        """What /object_info says of our nodes in a graph."""
        kinds = {node["class_type"] for node in graph.values() if node["class_type"].startswith(OURS)}
        return {kind: self.nodes[kind].GET_NODE_INFO_V1() for kind in kinds & self.nodes.keys()}


async def _boot(home: Path) -> None:
    """Register ComfyUI's own nodes and then the pack, as ComfyUI does when it starts."""
    import nodes
    import server  # noqa: F401  (nodes that talk to the page import it; it must exist first)

    await nodes.init_public_apis()
    await nodes.init_builtin_extra_nodes()
    door = home / "custom_nodes" / PACK_NAME
    door.mkdir(parents=True)
    (door / "__init__.py").write_text(FRONT_DOOR, encoding="utf-8")
    if not await nodes.load_custom_node(str(door)):
        raise RuntimeError("ComfyUI could not load the pack; the reason stands in the log above.")


def _keeper(kept: dict[str, Any]) -> type:
    """An output node that puts any value into `kept` under a name."""
    from comfy_api.latest import io

    class Keep(io.ComfyNode):
        @classmethod
        def define_schema(cls) -> io.Schema:
            inputs = [io.AnyType.Input("value"), io.String.Input("name")]
            return io.Schema(node_id=KEEP, category="test", inputs=inputs, is_output_node=True)

        @classmethod
        def fingerprint_inputs(cls, value: Any, name: str) -> float:
            return float("nan")  # a new one each time (math.nan is itself): a cached value is handed out again, too

        @classmethod
        def execute(cls, value: Any, name: str) -> io.NodeOutput:
            kept[name] = value
            return io.NodeOutput()

    Keep.GET_SCHEMA()
    return Keep


def _no_server() -> SimpleNamespace:
    """The few attributes of a server that the executor touches, and nobody listening."""
    return SimpleNamespace(
        client_id=None,
        last_node_id=None,
        last_prompt_id=None,
        sockets_metadata={},
        send_sync=lambda event, data, client_id=None: None,
    )
