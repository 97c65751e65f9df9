"""The frame of the reliability benchmark, and every part of it in a short seeded run."""

from __future__ import annotations

from appearance_transfer.benchmarks.faults.part import Result
from appearance_transfer.benchmarks.reliability import table


def test_results_become_a_line_per_kind_and_failures_are_said(capsys) -> None:
    results = [Result("b"), Result("a", "seed 7: KeyError"), Result("a"), Result("b")]
    assert table("files", results) == [("files", "a", 2, 1), ("files", "b", 2, 0)]
    assert "files, a: seed 7: KeyError" in capsys.readouterr().out
