"""The costs that the documents state are those the code plans, and the plan is what tests/host counts."""

import re

from appearance_transfer.benchmarks import costs
from appearance_transfer.developer.paths import ROOT


def test_the_default_pair_is_what_is_counted_at_the_network() -> None:
    """test_evaluations_are_those_we_commit_to counts 318 in ComfyUI."""
    assert costs.inversion(1) + costs.CostPlan().total == 318
    assert costs.REFERENCE_INVERSION + costs.REFERENCE_TRANSFER == 808


def test_the_parts_of_the_default_transfer() -> None:
    plan = costs.CostPlan()
    assert (plan.executed, plan.unpatched, plan.references) == (68, 57, 57)


def test_a_grid_of_one_is_a_pair_and_a_further_pair_is_its_output() -> None:
    """An inversion per structure, and 125 evaluations per further pair."""
    assert costs.grid(1, 1) == 318
    assert costs.grid(4, 4) == 4 * 136 + 16 * 125 + 4 * 51 + 4 * 6
    assert costs.grid(4, 5) - costs.grid(4, 4) == 51 + 4 * 125


def test_the_document_shows_what_the_command_prints(capsys) -> None:
    """Otherwise: `python dev.py bench costs`, into docs/costs.md."""
    assert costs.main(None, []) == 0
    printed = capsys.readouterr().out.strip()
    shown = re.search(r"```\n(.+?)\n```", (ROOT / "docs" / "costs.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown and shown[1] == printed
