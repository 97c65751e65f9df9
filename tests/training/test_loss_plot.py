"""The plot of a training: a curve where the losses are, whatever they are."""

import pytest
import torch
from appearance_transfer.training.loss_plot import LEFT, SIZE, loss_plot
from appearance_transfer.training.report import Report


def ink(image: torch.Tensor, color: tuple[int, int, int]) -> torch.Tensor:
    """Rows and columns [n, 2] of the pixels of a color below the names."""
    found = ((image[0] * 255).round() == torch.tensor(color)).all(-1).nonzero()
    return found[(found[:, 0] > 32) & (found[:, 1] > LEFT)]


def test_a_falling_loss_falls() -> None:
    reports = [Report(step, 10 ** (1 - step / 50), {"structure": 1e-4}) for step in range(100)]
    image = loss_plot(reports)
    assert image.shape == (1, SIZE[1], SIZE[0], 3)
    assert 0 <= image.min() <= image.max() <= 1
    rows, columns = ink(image, (0xD1, 0x49, 0x5B)).T
    assert rows.min() == rows.max()
    assert columns.max() - columns.min() > 600
    black = ink(image, (0, 0, 0))
    left, right = (black[black[:, 1] == column, 0].float().mean() for column in (LEFT + 20, LEFT + 600))
    assert left < right


@pytest.mark.parametrize("losses", [[0.0], [1.0], [0.0, 1e-30], [1e9, 1e9]])
def test_odd_losses_are_drawn_too(losses) -> None:
    reports = [Report(step, loss, {"appearance": loss}) for step, loss in enumerate(losses)]
    assert loss_plot(reports).min() == 0
