"""Talk to a running ComfyUI: queue a graph in API format, follow it, and take what it made.

One call, one connection: a `Client` holds nothing but the address, so it may be used from any test or thread.
"""

import asyncio
import json
import time
import urllib.parse
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp

from .object_info import OURS, with_defaults

# node id -> {"class_type": ..., "inputs": {name: constant or [node id, output index]}}
Graph = dict[str, dict[str, Any]]
# is told every event of ComfyUI: its type and its data
EventCallback = Callable[[str, dict[str, Any]], None]
Answered = TypeVar("Answered")
IDLE = 600.0  # seconds without a word from ComfyUI after which we give up


class GraphError(Exception):
    """ComfyUI did not finish a graph. The text is what the user would read in the browser.

    kind: "rejected" (at once, nothing ran), "failed" (a node raised), "interrupted", or "lost" (ComfyUI is gone).
    node: the id of the node at fault, where there is one. exception: what a node raised, as "ValueError".
    """

    def __init__(self, text: str, kind: str, node: str | None = None, exception: str | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.node = node
        self.exception = exception


@dataclass
class PromptResult:
    """What a finished graph left behind, by node id."""

    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)  # what each output node reports to the page
    seconds: dict[str, float] = field(default_factory=dict)  # wall time of each node that ran
    cached: list[str] = field(default_factory=list)  # nodes that ComfyUI did not run again
    refused: GraphError | None = None  # what was wrong with other outputs, which ComfyUI left out


@dataclass(frozen=True)
class Client:
    """A ComfyUI at `address` (http://host:port)."""

    address: str

    def get(self, path: str) -> Any:
        """The JSON that ComfyUI answers to GET `path`."""
        return json.loads(self._ask("GET", path))

    def interrupt(self) -> None:
        """Stop what is running, as the cross in the page does."""
        self._ask("POST", "/interrupt")

    def upload(self, name: str, image: bytes) -> None:
        """Put an encoded image into ComfyUI's input folder, in the place of one of that name."""
        form = aiohttp.FormData({"overwrite": "true"})
        form.add_field("image", image, filename=name)
        self._ask("POST", "/upload/image", form)

    def image(self, outcome: PromptResult, node: str, index: int = 0) -> bytes:
        """The encoded image that an output node saved or previewed."""
        reference = urllib.parse.urlencode(outcome.outputs[node]["images"][index])
        return self._ask("GET", f"/view?{reference}")

    def queue(self, graph: Graph, watch: EventCallback | None = None) -> PromptResult:
        """Run a graph to its end; what it does not say of our nodes is their default.

        Raises `GraphError` when it is refused, fails, is interrupted or lost.
        """
        return _awaited(self._queue(with_defaults(graph, self._about(graph)), watch))

    def _about(self, graph: Graph) -> dict[str, Any]:
        """What ComfyUI says of our nodes in a graph."""
        about: dict[str, Any] = {}
        for kind in sorted({node["class_type"] for node in graph.values() if node["class_type"].startswith(OURS)}):
            about |= self.get(f"/object_info/{urllib.parse.quote(kind, safe='')}")
        return about

    def _ask(self, method: str, path: str, form: aiohttp.FormData | None = None) -> bytes:
        return _awaited(self._fetch(method, path, form))

    async def _fetch(self, method: str, path: str, form: aiohttp.FormData | None) -> bytes:
        async with aiohttp.ClientSession(self.address) as session, session.request(method, path, data=form) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def _queue(self, graph: Graph, watch: EventCallback | None) -> PromptResult:
        identity = uuid.uuid4().hex
        async with (
            aiohttp.ClientSession(self.address) as session,
            session.ws_connect(f"/ws?clientId={identity}", max_msg_size=0) as socket,
        ):
            async with session.post("/prompt", json={"prompt": graph, "client_id": identity}) as answer:
                receipt = await answer.json()
            if answer.status != 200:
                raise rejection(receipt.get("error"), receipt.get("node_errors"))
            errors = receipt.get("node_errors")
            outcome = PromptResult(refused=rejection(None, errors) if errors else None)
            await _follow(socket, receipt["prompt_id"], outcome, watch)
            async with session.get(f"/history/{receipt['prompt_id']}") as answer:
                history = await answer.json()
            outcome.outputs = history[receipt["prompt_id"]]["outputs"]
            return outcome


def _awaited(doing: Coroutine[Any, Any, Answered]) -> Answered:
    try:
        return asyncio.run(doing)
    except aiohttp.ClientResponseError as error:
        raise GraphError(f"ComfyUI refused {error.request_info.url.path}: {error.status}.", "rejected") from error
    except (aiohttp.ClientError, TimeoutError) as error:
        raise GraphError(f"ComfyUI no longer answers ({type(error).__name__}).", "lost") from error


async def _follow(
    socket: aiohttp.ClientWebSocketResponse, prompt_id: str, outcome: PromptResult, watch: EventCallback | None
) -> None:
    """Read events until the prompt has ended, keeping the time of every node."""
    running, since = None, 0.0
    while True:
        message = await socket.receive(timeout=IDLE)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            raise GraphError("ComfyUI closed the connection before the graph was finished.", "lost", running)
        if message.type != aiohttp.WSMsgType.TEXT:
            continue  # a preview image
        event = json.loads(message.data)
        kind, data = event["type"], event.get("data", {})
        if data.get("prompt_id", prompt_id) != prompt_id:
            continue
        if watch:
            watch(kind, data)
        if kind == "executing":
            now = time.monotonic()
            if running:
                outcome.seconds[running] = outcome.seconds.get(running, 0.0) + now - since
            running, since = data["node"], now
            if running is None:  # ComfyUI says so after success, once the history is written
                return
        elif kind == "execution_cached":
            outcome.cached = data["nodes"]
        elif kind == "execution_error":
            raise GraphError(data["exception_message"].strip(), "failed", data["node_id"], data["exception_type"])
        elif kind == "execution_interrupted":
            raise GraphError("The run was interrupted.", "interrupted", data["node_id"])


def rejection(error: dict[str, Any] | str | None, node_errors: dict[str, Any] | None) -> GraphError:
    """ComfyUI's refusal of a graph as one exception that names the first node at fault."""
    for node, found in (node_errors or {}).items():
        reasons = "; ".join(f"{one['message']}: {one['details']}" for one in found["errors"])
        return GraphError(f"{found['class_type']}: {reasons}", "rejected", node)
    text = error.get("message", "") if isinstance(error, dict) else str(error)
    return GraphError(text, "rejected")
