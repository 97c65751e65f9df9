"""The rows of the table of transfers on the pocket transformer that are made of others."""

import pytest
from appearance_transfer.benchmarks.transformer import METRICS, by_steps, compared


def _of(*errors: float) -> dict[str, list[float]]:
    return {"evaluations": [42.0] * len(errors)} | {metric: list(errors) for metric in METRICS}


def test_methods_are_compared_pair_by_pair_on_the_pairs_that_both_have() -> None:
    values = {"resumed only": _of(1.0, 0.9, 1.1), "by likeness": _of(0.6, 0.7, 0.8), "rearranged": _of(0.4, 0.6)}
    found = compared(values)
    assert list(found) == [
        "against doing nothing: by likeness", "against doing nothing: rearranged",
        "against by likeness: resumed only", "against by likeness: rearranged",
    ]  # fmt: skip
    assert found["against by likeness: rearranged"]["part_color_error"] == pytest.approx([-0.2, -0.1])
    assert "evaluations" not in found["against by likeness: rearranged"]


def test_without_the_method_to_compare_with_there_are_no_differences() -> None:
    assert compared({"rearranged": _of(0.4)}) == {}


def test_methods_in_several_numbers_of_steps_are_drawn_against_their_cost() -> None:
    values = {
        "A": _of(0.5),
        "A, 4 steps": _of(0.4, 0.6),
        "A, 8 steps": _of(0.3),
        "B, 4 steps": _of(0.1),
        "C, why": _of(1),
    }
    assert by_steps(values) == {"A": [(42.0, 0.5, 0.5, "4 steps"), (42.0, 0.3, 0.3, "8 steps")]}
