"""What the pack logs, shown on the node that is running: what a run will cost, and why something has no effect.

The page gets each node's messages as an event of ours, which web/js/node_texts.js draws. ComfyUI's own progress text
has one look for everything and is gone after a change of the workflow tab.
"""

import logging

from comfy_execution.progress import get_progress_state
from comfy_execution.utils import get_executing_context
from server import PromptServer

EVENT = "appearance_transfer.messages"
NOTE, WARNING = "note", "warning"


class NodeTextHandler(logging.Handler):
    """Sends log records to the node whose execution they come from, for the client that queued it.

    An event holds all messages of the execution so far, each once: `{"prompt_id", "node", "display_node", "messages":
    [{"kind": "note" or "warning", "text"}]}`. Outside of an execution nothing is sent.
    """

    def __init__(self, level: int = logging.INFO):
        super().__init__(level)
        self._running: tuple[str, str] | None = None
        self._messages: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        context = get_executing_context()
        server = getattr(PromptServer, "instance", None)  # there is none where graphs run without a server
        if context is None or server is None:
            return
        running = (context.prompt_id, context.node_id)
        if running != self._running:
            self._running, self._messages = running, []
        message = {"kind": WARNING if record.levelno >= logging.WARNING else NOTE, "text": record.getMessage()}
        if message in self._messages:
            return
        self._messages.append(message)
        data = {
            "prompt_id": context.prompt_id,
            "node": context.node_id,
            "display_node": get_progress_state().dynprompt.get_display_node_id(context.node_id),
            "messages": list(self._messages),
        }
        server.send_sync(EVENT, data, server.client_id)


def attach_node_text(logger: logging.Logger) -> None:
    """From now on this logger's records also appear on the nodes; asked again, nothing changes."""
    if not any(isinstance(handler, NodeTextHandler) for handler in logger.handlers):
        logger.addHandler(NodeTextHandler())


def format_mib(size: int) -> str:
    """So many bytes in words."""
    return f"{size / 2**20:.1f} MiB"
