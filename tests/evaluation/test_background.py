"""The change outside of the object, on pictures for which it is known."""

import pytest
import torch
from appearance_transfer.evaluation.background import background_change

STRUCTURE = torch.zeros(2, 4, 4, 3)
MASK = torch.zeros(2, 4, 4)
MASK[:, 1:3, 1:3] = 1


def test_only_what_lies_outside_counts() -> None:
    output = torch.where(MASK[..., None] > 0.5, 1.0, STRUCTURE)
    assert background_change(output, STRUCTURE, MASK).tolist() == [0, 0]
    output[0, 0, 0] = 0.6
    assert background_change(output, STRUCTURE, MASK).tolist() == pytest.approx([0.6 / 12, 0])


def test_a_change_of_everything_is_that_change() -> None:
    assert background_change(STRUCTURE + 0.25, STRUCTURE, MASK).tolist() == pytest.approx([0.25, 0.25])


def test_a_picture_without_background_has_no_change() -> None:
    assert background_change(STRUCTURE + 1, STRUCTURE, torch.ones_like(MASK)).tolist() == [0, 0]
