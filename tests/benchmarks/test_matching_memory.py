"""Every method that is timed runs on features of any square, as it is prepared in a process of its own."""

import pytest
import torch
from appearance_transfer.benchmarks import matching_memory
from appearance_transfer.benchmarks.matching_memory import BESIDE, FIELD, PRODUCT, prepared, times


@pytest.fixture
def small(monkeypatch) -> None:
    """8 x 8 positions; and as many threads as before, afterwards."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(matching_memory, "SIDE", 8)
    yield
    torch.set_num_threads(threads)


def test_the_field_has_seeds_of_most_positions(small) -> None:
    run, queries, keys = prepared(FIELD)
    assert run(queries, keys).seeds > 48


def test_every_method_is_timed_next_to_another(small) -> None:
    figures = times(2)
    assert {method for method, *_ in figures} == {PRODUCT, *BESIDE}
    assert {(method, metric) for method, metric, _ in figures} >= {
        (method, f"times the {other}") for method, other in BESIDE.items()
    }
    assert all(len(values) == 2 and min(values) > 0 for *_, values in figures)
