"""What the pack logs, shown on the node that is running: what a run will cost, and why something has no effect."""

import logging

from comfy_execution.utils import get_executing_context
from server import PromptServer

FP32 = 4  # bytes


class OnTheNode(logging.Handler):
    """Shows log records as text on the node whose execution they come from, for the client that queued it.

    A second sentence of the same execution comes below the first. Outside of an execution nothing is shown.
    """

    def __init__(self, level: int = logging.INFO):
        super().__init__(level)
        self._running: tuple[str, str] | None = None
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        context = get_executing_context()
        server = getattr(PromptServer, "instance", None)  # there is none where graphs run without a server
        if context is None or server is None:
            return
        running = (context.prompt_id, context.node_id)
        if running != self._running:
            self._running, self._lines = running, []
        sentence = record.getMessage()
        if sentence not in self._lines:
            self._lines.append(sentence)
            server.send_progress_text("\n".join(self._lines), context.node_id)


def tell_on_nodes(logger: logging.Logger) -> None:
    """From now on this logger's records also appear on the nodes; asked again, nothing changes."""
    if not any(isinstance(handler, OnTheNode) for handler in logger.handlers):
        logger.addHandler(OnTheNode())


def mebibytes(values: int) -> str:
    """How much memory so many numbers in fp32 take, in words."""
    return f"{values * FP32 / 2**20:.1f} MiB"
