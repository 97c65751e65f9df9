"""Pairs shared out to workers: each is made exactly once, and none is lost with a worker or a server."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from ..cli_output import CliError
from .pairs import GridImage, GridPair, next_pair
from .servers import Server
from .worker import Job, JobResult

Submit = Callable[[str, Job], "Future[JobResult]"]  # (address, job) -> the answer, some day
ATTEMPTS = 3  # a pair on which ComfyUI dies so often is at fault itself


@dataclass
class WorkerSlot:
    """A server and how to give it work. structure: of its last pair; that image stays inverted there."""

    server: Server
    submit: Submit
    structure: GridImage | None = None


def run_all(
    pairs: Sequence[GridPair],
    desks: Sequence[WorkerSlot],
    job: Callable[[GridPair], Job],
    done: Callable[[GridPair, JobResult], None],
) -> None:
    """Have every pair made, one at a time at each desk; `done` is called once for each, here.

    Raises `CliError` where no server is left.
    """
    waiting, idle = list(pairs), list(desks)
    at_work: dict[Future[JobResult], tuple[WorkerSlot, GridPair]] = {}
    losses: Counter[GridPair] = Counter()
    while waiting or at_work:
        while waiting and idle:
            slot = idle.pop(0)
            pair = next_pair(waiting, slot.structure, [other.structure for other, _ in at_work.values()])
            waiting.remove(pair)
            slot.structure = pair.structure
            at_work[slot.submit(slot.server.address, job(pair))] = slot, pair
        if not at_work:
            raise CliError("No ComfyUI is left to go on with. What is made is kept: run the same command again.")
        finished, _ = wait(at_work, return_when=FIRST_COMPLETED)
        for future in finished:
            slot, pair = at_work.pop(future)
            answer = future.result()
            losses[pair] += answer.lost
            if answer.lost and losses[pair] < ATTEMPTS:
                waiting.insert(0, pair)
            else:
                done(pair, answer)
            if not answer.lost or slot.server.revive():
                idle.append(slot)
