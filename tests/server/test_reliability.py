"""Short seeded runs of what `dev.py bench reliability` does for long, through one real server."""

import random

import pytest
from appearance_transfer.benchmarks.faults.inputs import try_inputs
from appearance_transfer.benchmarks.faults.interrupts import try_interrupts
from appearance_transfer.benchmarks.faults.served import KEEPS_RESULTS, served
from appearance_transfer.benchmarks.faults.soak import try_soak

SEED = 13


@pytest.fixture(scope="module")
def tried(comfyui, tmp_path_factory):
    with served(comfyui, tmp_path_factory.mktemp("reliability"), *KEEPS_RESULTS) as client:
        yield client


@pytest.mark.parametrize(
    ("part", "count"), [(try_inputs, 80), (try_interrupts, 5), (try_soak, 5)], ids=["inputs", "interrupts", "soak"]
)
def test_as_promised(tried, part, count) -> None:
    results = list(part(tried, random.Random(SEED), count))
    assert len(results) > count
    assert not [result.failure for result in results if result.failure]
