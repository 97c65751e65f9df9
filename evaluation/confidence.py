"""How sure is a mean over images: bootstrap confidence intervals (Efron 1987, bias-corrected and accelerated)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import bootstrap


class MeanInterval(NamedTuple):
    """A mean over `n` values and the interval low..high that holds the true mean with the asked-for confidence."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(
    values: Sequence[float], *, confidence: float = 0.95, resamples: int = 9999, seed: int = 0
) -> MeanInterval:
    """The mean of the values with its bootstrap interval; deterministic for a seed.

    Equal values, and one alone, have an interval of no width: there is nothing to resample. Raises ValueError for no
    values and for values that are not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.size == 0 or not np.isfinite(sample).all():
        raise ValueError(f"A mean needs finite values, but got {list(values)}.")
    mean = float(sample.mean())
    if np.ptp(sample) <= 1e-9 * np.abs(sample).max():
        return MeanInterval(mean, mean, mean, sample.size)
    rng = np.random.default_rng(seed)
    interval = bootstrap(
        (sample,), np.mean, confidence_level=confidence, n_resamples=resamples, rng=rng
    ).confidence_interval
    return MeanInterval(mean, float(interval.low), float(interval.high), sample.size)
