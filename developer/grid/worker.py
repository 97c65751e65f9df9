"""What one worker does: bring two pictures to a ComfyUI, queue the workflow there, and bring the results back."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..client import Client, Graph, GraphError
from ..console import Trouble
from ..image_files import read_image


@dataclass(frozen=True)
class Job:
    """A graph to queue, and the pictures it loads: name in the host's input folder -> file here."""

    graph: Graph
    pictures: Mapping[str, str]


@dataclass(frozen=True)
class Answer:
    """What came of a job. told: why it failed, in a sentence. lost: it may be tried again, since ComfyUI went away."""

    pictures: list[bytes]
    seconds: float
    told: str = ""
    lost: bool = False


class Worker:
    """Runs jobs, one at a time. A Ray actor (cluster.py); forgetting all it knows, it only sends pictures again."""

    def __init__(self) -> None:
        self._sent: set[tuple[str, str]] = set()

    def make(self, address: str, job: Job) -> Answer:
        """Run a job on the ComfyUI at `address`. Never raises for what is the fault of the picture or of ComfyUI."""
        begun = time.monotonic()
        try:
            pictures = self._make(Client(address), job)
        except GraphError as error:
            return Answer([], time.monotonic() - begun, str(error), error.kind == "lost")
        except (Trouble, OSError) as error:
            return Answer([], time.monotonic() - begun, str(error))
        return Answer(pictures, time.monotonic() - begun)

    def _make(self, client: Client, job: Job) -> list[bytes]:
        for name, path in job.pictures.items():
            if (client.address, name) not in self._sent:
                read_image(Path(path))
                client.upload(name, Path(path).read_bytes())
                self._sent.add((client.address, name))
        outcome = client.queue(job.graph)
        saved = [node for node, about in job.graph.items() if about["class_type"] == "SaveImage"]
        counts = {node: len(outcome.outputs[node]["images"]) for node in saved}
        return [client.image(outcome, node, index) for node in saved for index in range(counts[node])]
