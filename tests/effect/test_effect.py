"""The transfer does on pocket pairs what it says; the whole table is `python dev.py bench effect`.

Few pairs, so the margins are wide: what fails here is broken, not merely worse.
"""

from statistics import fmean

import pytest
from appearance_transfer.benchmarks.effect import by_side, measured
from appearance_transfer.benchmarks.reporting.cases import Cases
from appearance_transfer.benchmarks.transfers.batches import run_methods
from appearance_transfer.benchmarks.transfers.pairs import held_out_pairs
from appearance_transfer.developer.cli_output import CliError

PAIRS = held_out_pairs(4)
OURS, TRUE_MASKS = "ours", "ours, true masks"
METHODS = ("identity", "perfect answer", "identity, autoencoder", "color transfer", "AdaIN only", OURS, TRUE_MASKS)


@pytest.fixture(scope="module")
def values(host) -> Cases:
    return measured(PAIRS, run_methods(PAIRS, METHODS))


def mean(values: Cases, method: str, metric: str) -> float:
    return fmean(values[method][metric])


def test_the_scale_of_the_measures(values: Cases) -> None:
    """Doing nothing is 1; the image that the world itself renders for the answer is nearly 0, in the same shape."""
    assert values["identity"]["part_color_error"] == pytest.approx([1.0] * len(PAIRS))
    assert mean(values, "perfect answer", "part_color_error") < 0.2
    assert mean(values, "identity, autoencoder", "silhouette_iou") > 0.9


def test_parts_take_the_appearance_s_colors(values: Cases) -> None:
    for ours in (OURS, TRUE_MASKS):
        assert mean(values, ours, "part_color_error") < 0.8
        for other in ("identity, autoencoder", "color transfer", "AdaIN only"):
            assert mean(values, ours, "part_color_error") < mean(values, other, "part_color_error")


def test_the_structure_keeps_its_shape(values: Cases) -> None:
    assert mean(values, OURS, "silhouette_iou") > 0.7
    assert mean(values, TRUE_MASKS, "silhouette_iou") > 0.75


def test_sides_share_out_all_pairs(values: Cases) -> None:
    split = by_side(PAIRS, values)
    assert sum(len(metrics["part_color_error"]) for metrics in split.values()) == len(PAIRS)


def test_a_method_that_does_not_exist_is_refused(host) -> None:
    with pytest.raises(CliError, match="no method magic"):
        run_methods(PAIRS[:1], ["magic"])
