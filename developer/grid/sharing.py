"""Pairs shared out to workers: each is made exactly once, and none is lost with a worker or a server."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from ..console import Trouble
from .pairs import Pair, Picture, next_pair
from .servers import Server
from .worker import Answer, Job

Submit = Callable[[str, Job], "Future[Answer]"]  # (address, job) -> the answer, some day
ATTEMPTS = 3  # a pair on which ComfyUI dies so often is at fault itself


@dataclass
class Desk:
    """A server and how to give it work. structure: of its last pair; that picture stays inverted there."""

    server: Server
    submit: Submit
    structure: Picture | None = None


def share_out(
    pairs: Sequence[Pair],
    desks: Sequence[Desk],
    job: Callable[[Pair], Job],
    done: Callable[[Pair, Answer], None],
) -> None:
    """Have every pair made, one at a time at each desk; `done` is called once for each, here.

    Raises `Trouble` where no server is left.
    """
    waiting, idle = list(pairs), list(desks)
    at_work: dict[Future[Answer], tuple[Desk, Pair]] = {}
    losses: Counter[Pair] = Counter()
    while waiting or at_work:
        while waiting and idle:
            desk = idle.pop(0)
            pair = next_pair(waiting, desk.structure, [other.structure for other, _ in at_work.values()])
            waiting.remove(pair)
            desk.structure = pair.structure
            at_work[desk.submit(desk.server.address, job(pair))] = desk, pair
        if not at_work:
            raise Trouble("No ComfyUI is left to go on with. What is made is kept: run the same command again.")
        finished, _ = wait(at_work, return_when=FIRST_COMPLETED)
        for future in finished:
            desk, pair = at_work.pop(future)
            answer = future.result()
            losses[pair] += answer.lost
            if answer.lost and losses[pair] < ATTEMPTS:
                waiting.insert(0, pair)
            else:
                done(pair, answer)
            if not answer.lost or desk.server.revive():
                idle.append(desk)
