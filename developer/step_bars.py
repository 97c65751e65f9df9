"""Progress bars for a graph that runs in ComfyUI."""

from collections.abc import Mapping
from typing import Any

from tqdm import tqdm

from .client import Graph


class StepBars:
    """One progress bar at a time, for the node that is running."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._node: str | None = None
        self._bar: tqdm | None = None

    def title(self, node: str) -> str:
        """E.g. "invert_structure (InvertImage)"."""
        return f"{node} ({self._graph[node]['class_type'].split('_')[-1]})"

    def watch(self, kind: str, data: Mapping[str, Any]) -> None:
        if kind != "progress":
            return
        if self._bar is None or data["node"] != self._node:
            self.close()
            self._node = data["node"]
            self._bar = tqdm(total=data["max"], desc=self.title(data["node"]), unit="step")
        self._bar.update(data["value"] - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
