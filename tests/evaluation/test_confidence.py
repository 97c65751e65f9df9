"""Bootstrap intervals: against the normal theory where it holds, and where there is nothing to resample."""

import numpy as np
import pytest
from appearance_transfer.evaluation.confidence import mean_interval


def test_interval_is_that_of_normal_theory_on_many_normal_values() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    mean, low, high, n = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / n**0.5
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.15 * half)
    assert n == 400


def test_interval_leans_the_way_the_values_do() -> None:
    """The reason for the acceleration: the mean of skewed values is less sure on the side of their long tail."""
    mean, low, high, _ = mean_interval(np.random.default_rng(2).lognormal(0.0, 1.2, 32))
    assert high - mean > 1.2 * (mean - low)


def test_same_values_give_the_same_interval() -> None:
    values = np.random.default_rng(3).normal(size=20)
    assert mean_interval(values) == mean_interval(values)
    assert mean_interval(values) != mean_interval(values, seed=1)


@pytest.mark.parametrize("values", [[1.0], [0.3, 0.3, 0.3], [0.0, 0.0]])
def test_nothing_to_resample_is_an_interval_of_no_width(values: list[float]) -> None:
    assert mean_interval(values)[:3] == pytest.approx((values[0],) * 3)


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_values_without_a_mean_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values)
