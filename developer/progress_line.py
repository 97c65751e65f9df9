"""How far a long run is: one line that is rewritten in a terminal, plain lines in a log file."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from .cli_output import echo
from .client import Graph

CALM = 0.2  # seconds; a terminal is rewritten no more often


class ProgressLine:
    """Says what is running, and what has ended. Used in a `with` block, at whose end the terminal's line is clean."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._in_terminal = sys.stdout.isatty()
        self._clock = clock
        self._written, self._shown = -CALM, ""

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def show(self, text: str) -> None:
        """What is running now: in a terminal in the place of what stood there, nowhere in a log file."""
        if self._in_terminal and self._clock() - self._written >= CALM:
            self._rewrite(text)

    def report(self, text: str) -> None:
        """What has ended: in a terminal in the place of what stood there, a line of its own in a log file."""
        if self._in_terminal:
            self._rewrite(text)
        else:
            echo(text)

    def _rewrite(self, text: str) -> None:
        self._clear()
        self._written, self._shown = self._clock(), text[: shutil.get_terminal_size().columns - 1]
        sys.stdout.write(self._shown)
        sys.stdout.flush()

    def _clear(self) -> None:
        if self._shown:
            sys.stdout.write(f"\r{' ' * len(self._shown)}\r")
            sys.stdout.flush()
            self._shown = ""


class GraphProgress:
    """Follows a graph that runs in ComfyUI: the steps of the node that runs, and how long each took that took long."""

    LONG = 1.0  # seconds; what took less is not said

    def __init__(self, graph: Graph, line: ProgressLine, clock: Callable[[], float] = time.monotonic) -> None:
        self._graph, self._line, self._clock = graph, line, clock
        self._node: str | None = None
        self._since = clock()

    def title(self, node: str) -> str:
        """E.g. "invert_structure (InvertImage)"."""
        return f"{node} ({self._graph[node]['class_type'].split('_')[-1]})"

    def watch(self, kind: str, data: Mapping[str, Any]) -> None:
        """Told of every event of ComfyUI."""
        if kind == "executing":
            self._next(data["node"])
        elif kind == "progress" and data["node"] in self._graph:
            seconds = self._clock() - self._since
            self._line.show(f"{self.title(data['node'])}: {data['value']} of {data['max']}, {seconds:.0f} s")

    def _next(self, node: str | None) -> None:
        now = self._clock()
        if self._node is not None and now - self._since >= self.LONG:
            self._line.report(f"{self.title(self._node)}: {now - self._since:.0f} s")
        self._node, self._since = node if node in self._graph else None, now
        if self._node is not None:
            self._line.show(f"{self.title(self._node)} ...")
