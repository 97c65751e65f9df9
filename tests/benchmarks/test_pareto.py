"""The table and the plot of effect against cost, from values made up here."""

import pytest
from appearance_transfer.benchmarks.pareto import from_the_paper, fronts
from appearance_transfer.benchmarks.reporting.cases import joined
from appearance_transfer.benchmarks.reporting.front import write_front

VALUES = {
    "A, the paper's settings": {
        "evaluations": [318.0, 318.0], "part_color_error": [0.5, 0.7], "silhouette_iou": [0.8, 0.9]
    },
    "A, 4 steps": {"evaluations": [14.0, 14.0], "part_color_error": [0.4, 0.8], "silhouette_iou": [0.9, 0.9]},
    "B, 4 steps": {"evaluations": [15.0], "part_color_error": [0.6], "silhouette_iou": [0.7]},
}  # fmt: skip


def test_settings_are_compared_with_the_papers_pair_by_pair() -> None:
    """Only where the method has been run at the paper's settings, too."""
    ((name, found),) = from_the_paper(VALUES).items()
    assert name == "A, 4 steps, less the paper's"
    assert found["part_color_error"] == pytest.approx([-0.1, 0.1])
    assert found["silhouette_iou"] == pytest.approx([0.1, 0.0])


def test_every_setting_is_a_point_of_its_method() -> None:
    found = fronts(VALUES)
    assert found.keys() == {"A", "B"}
    assert [name for *_, name in found["A"]] == ["the paper's settings", "4 steps"]
    assert found["B"][0][:3] == (15.0, 0.6, 0.7)


def test_the_plot_is_written(tmp_path) -> None:
    write_front(tmp_path / "front.png", "title", fronts(VALUES))
    assert (tmp_path / "front.png").stat().st_size > 10_000


def test_later_batches_may_lack_a_setting() -> None:
    both, one = {"A": {"evaluations": [1.0, 1.0]}, "B": {"evaluations": [2.0]}}, {"A": {"evaluations": [3.0]}}
    assert joined([both, one]) == {"A": {"evaluations": [1.0, 1.0, 3.0]}, "B": {"evaluations": [2.0]}}
