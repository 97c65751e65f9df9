"""The plot of a training: a curve where the losses are, whatever they are."""

import pytest
import torch
from appearance_transfer.training.loss_plot import LEFT, SIZE, loss_plot
from appearance_transfer.training.report import Report


def ink(picture: torch.Tensor, colour: tuple[int, int, int]) -> torch.Tensor:
    """Rows and columns [n, 2] of the pixels of a colour below the names."""
    found = ((picture[0] * 255).round() == torch.tensor(colour)).all(-1).nonzero()
    return found[(found[:, 0] > 32) & (found[:, 1] > LEFT)]


def test_a_falling_loss_falls() -> None:
    reports = [Report(step, 10 ** (1 - step / 50), {"structure": 1e-4}) for step in range(100)]
    picture = loss_plot(reports)
    assert picture.shape == (1, SIZE[1], SIZE[0], 3)
    assert 0 <= picture.min() <= picture.max() <= 1
    rows, columns = ink(picture, (0xD1, 0x49, 0x5B)).T
    assert rows.min() == rows.max()
    assert columns.max() - columns.min() > 600
    black = ink(picture, (0, 0, 0))
    left, right = (black[black[:, 1] == column, 0].float().mean() for column in (LEFT + 20, LEFT + 600))
    assert left < right


@pytest.mark.parametrize("losses", [[0.0], [1.0], [0.0, 1e-30], [1e9, 1e9]])
def test_odd_losses_are_drawn_too(losses) -> None:
    reports = [Report(step, loss, {"appearance": loss}) for step, loss in enumerate(losses)]
    assert loss_plot(reports).min() == 0
