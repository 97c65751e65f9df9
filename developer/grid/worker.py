"""What one worker does: bring two images to a ComfyUI, queue the workflow there, and bring the results back."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cli_output import CliError
from ..client import Client, Graph, GraphError
from ..image_files import read_image


@dataclass(frozen=True)
class Job:
    """A graph to queue, and the images it loads: name in ComfyUI's input folder -> file here."""

    graph: Graph
    images: Mapping[str, str]


@dataclass(frozen=True)
class JobResult:
    """What came of a job. failure: why it failed, in a sentence. lost: it may be tried again, since ComfyUI went
    away.
    """

    images: list[bytes]
    seconds: float
    failure: str = ""
    lost: bool = False


class Worker:
    """Runs jobs, one at a time. A Ray actor (cluster.py); forgetting all it knows, it only sends images again."""

    def __init__(self) -> None:
        self._sent: set[tuple[str, str]] = set()

    def make(self, address: str, job: Job) -> JobResult:
        """Run a job on the ComfyUI at `address`. Never raises for what is the fault of the image or of ComfyUI."""
        begun = time.monotonic()
        try:
            images = self._make(Client(address), job)
        except GraphError as error:
            return JobResult([], time.monotonic() - begun, str(error), error.kind == "lost")
        except (CliError, OSError) as error:
            return JobResult([], time.monotonic() - begun, str(error))
        return JobResult(images, time.monotonic() - begun)

    def _make(self, client: Client, job: Job) -> list[bytes]:
        for name, path in job.images.items():
            if (client.address, name) not in self._sent:
                read_image(Path(path))
                client.upload(name, Path(path).read_bytes())
                self._sent.add((client.address, name))
        outcome = client.queue(job.graph)
        saved = [node for node, about in job.graph.items() if about["class_type"] == "SaveImage"]
        counts = {node: len(outcome.outputs[node]["images"]) for node in saved}
        return [client.image(outcome, node, index) for node in saved for index in range(counts[node])]
