"""The costs that the documents state are those the code plans, and the plan is what tests/host counts."""

import re

from appearance_transfer.benchmarks import costs
from appearance_transfer.developer.paths import ROOT


def test_a_pair_is_what_is_counted_at_the_network() -> None:
    """`test_evaluations_are_those_we_commit_to` counts them in ComfyUI."""
    assert costs.CostPlan().total == 46
    assert costs.DRAFT.total == 23
    assert costs.PAPER.total == 318
    assert costs.REFERENCE_INVERSION + costs.REFERENCE_TRANSFER == 808


def test_the_parts_of_a_transfer() -> None:
    default, paper = costs.CostPlan(), costs.PAPER
    assert (default.inversion, default.executed, default.unpatched, default.references) == (14, 14, 6, 12)
    assert (default.forwards, costs.CostPlan(every=1).forwards, paper.forwards) == (23, 29, 129)
    assert (paper.inversion, paper.executed, paper.unpatched, paper.references) == (136, 68, 57, 57)


def test_a_grid_of_one_is_a_pair_and_a_further_pair_is_its_output() -> None:
    for pair, output in ((costs.CostPlan(), 20), (costs.PAPER, 125)):
        assert costs.grid(1, 1, pair) == pair.total
        assert costs.grid(4, 5, pair) - costs.grid(4, 4, pair) == 4 * output + len(pair.reading) - pair.structural
    assert costs.grid(4, 4, costs.CostPlan()) == 424


def test_the_document_shows_what_the_command_prints(capsys) -> None:
    """Otherwise: `python dev.py bench costs`, into docs/costs.md."""
    assert costs.main(None, []) == 0
    printed = capsys.readouterr().out.strip()
    committed = re.search(r"```\n(.+?)\n```", (ROOT / "docs" / "costs.md").read_text(encoding="utf-8"), re.DOTALL)
    assert committed and committed[1] == printed
