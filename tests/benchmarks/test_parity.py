"""What tests against golden tensors find is written down: a line per test, with its largest difference."""

import csv
import logging
from pathlib import Path

import pytest
import torch
from appearance_transfer.benchmarks.golden_tests.recorder import LOGGER, Difference, Recorder
from appearance_transfer.benchmarks.parity import SYSTEMS, table
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.tests.golden.reference import near, noted


def test_the_tests_of_every_system_exist() -> None:
    assert not [position for positions in SYSTEMS.values() for position in positions if not (ROOT / position).exists()]


def test_differences_are_heard_and_nobody_else_hears_them(caplog: pytest.LogCaptureFixture) -> None:
    recorder, one = Recorder(), torch.ones(3)
    with recorder.listening(), caplog.at_level(logging.DEBUG):
        torch.testing.assert_close([one, one.int()], [one * 1.25, one.int()], atol=1.0, rtol=0)
        assert near(1.5, 1.0, 0.5)
        assert noted(0.125) == 0.125
    assert recorder.differences == [pytest.approx(0.2), 0.5, 0.125]
    assert not caplog.records
    assert torch.testing.assert_close.__module__.startswith("torch")
    assert recorder not in logging.getLogger(LOGGER).handlers


def test_cases_of_one_test_are_one_line_with_the_largest_difference() -> None:
    recorder, test = Recorder(), (str(ROOT / "tests" / "splice" / "test_vit.py"), "test_what_it_sees")
    recorder.keep(test, Difference([1e-6, 3e-6], "passed"))
    recorder.keep(test, Difference([2e-6], "passed"))
    recorder.keep((test[0], "test_equal"), Difference([], "failed"))
    assert table(recorder) == [
        ("Splice", "vit: what it sees", "3", "3.0e-06", "passed"),
        ("Splice", "vit: equal", "0", "", "failed"),
    ]
    recorder.keep(test, Difference([], "skipped"))
    assert table(recorder)[0][-1] == "passed, some cases skipped"


def test_the_documented_limits_hold_in_the_committed_table() -> None:
    """A table with a test that failed must not be committed."""
    path = ROOT / "benchmarks" / "results" / "parity.csv"
    if not path.is_file():
        pytest.skip("No parity has been measured yet: python dev.py bench parity")
    with Path(path).open(newline="", encoding="ascii") as file:
        assert not [row["test"] for row in csv.DictReader(file) if row["outcome"] == "failed"]
