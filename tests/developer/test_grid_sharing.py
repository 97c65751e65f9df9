"""How dev.py grid shares its pairs among servers, one of which may die; neither Ray nor a host is needed."""

import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.grid.pairs import GridPair, every_pair
from appearance_transfer.developer.grid.scheduler import ATTEMPTS, WorkerSlot, run_all
from appearance_transfer.developer.grid.worker import Job, JobResult
from appearance_transfer.tests.developer.grid_parts import RESULT, FlakyServer, folder


@pytest.fixture
def pairs(tmp_path: Path) -> list[GridPair]:
    structures = folder(tmp_path / "my shapes", cat="red", dog="green")
    return every_pair(structures, folder(tmp_path / "looks", fur="blue", moss="white", tin="gray"))


class TestSharing:
    """Workers are threads here; `lost` are the pairs on which a server dies, as often as they stand in it."""

    @pytest.fixture
    def shared(self, pairs):
        def work(lost: list[str], *servers: FlakyServer) -> list[tuple[str, str]]:
            recorded, dying, lock = [], Counter(lost), threading.Lock()

            def make(address: str, name: Job) -> JobResult:
                with lock:
                    dying[name] -= 1
                    dies = dying[name] >= 0
                return JobResult([], 0.1, "ComfyUI no longer answers.", lost=True) if dies else RESULT

            with ThreadPoolExecutor(len(servers)) as pool:
                desks = [WorkerSlot(server, partial(pool.submit, make)) for server in servers]
                run_all(pairs, desks, lambda pair: pair.name, lambda pair, a: recorded.append((pair.name, a.failure)))
            return recorded

        return work

    def test_each_pair_is_made_exactly_once(self, shared, pairs) -> None:
        recorded = shared([], FlakyServer("one"), FlakyServer("two"))
        assert sorted(recorded) == sorted((pair.name, "") for pair in pairs)

    def test_a_server_that_dies_and_returns_costs_nothing(self, shared, pairs) -> None:
        server = FlakyServer("one")
        recorded = shared(["cat__moss", "dog__fur", "dog__fur"], server)
        assert sorted(recorded) == sorted((pair.name, "") for pair in pairs)
        assert server.asked == 3

    def test_a_server_that_stays_away_leaves_its_work_to_the_others(self, shared, pairs) -> None:
        """Whoever meets the pair first is away; the other makes everything."""
        servers = FlakyServer("one", returns=False), FlakyServer("two", returns=False)
        recorded = shared(["cat__fur"], *servers)
        assert sorted(recorded) == sorted((pair.name, "") for pair in pairs)
        assert sum(server.asked for server in servers) == 1

    def test_a_pair_on_which_every_server_dies_is_given_up(self, shared, pairs) -> None:
        recorded = dict(shared(["dog__moss"] * ATTEMPTS, FlakyServer("one")))
        assert recorded.pop("dog__moss") == "ComfyUI no longer answers."
        assert len(recorded) == 5

    def test_no_server_left_is_one_sentence(self, shared) -> None:
        with pytest.raises(CliError, match="run the same command again"):
            shared(["cat__moss"], FlakyServer("one", returns=False))

    def test_a_mistake_of_ours_is_not_hidden(self, pairs) -> None:
        def fail(address: str, job: Job) -> Future:
            future: Future = Future()
            future.set_exception(ZeroDivisionError())
            return future

        with pytest.raises(ZeroDivisionError):
            run_all(pairs, [WorkerSlot(FlakyServer("one"), fail)], lambda pair: pair.name, lambda *_: None)
