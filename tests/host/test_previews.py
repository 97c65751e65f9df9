"""What the page shows of a mask: the same places, large enough to be seen."""

import pytest
import torch
from appearance_transfer.host.previews import enlarged


@pytest.mark.parametrize(("height", "width", "factor"), [(16, 16, 16), (64, 48, 4), (300, 200, 1)])
def test_every_place_becomes_a_square(height, width, factor) -> None:
    mask = torch.rand(2, height, width)
    shown = enlarged(mask)
    assert shown.shape == (2, height * factor, width * factor)
    for corner in (0, factor - 1):
        torch.testing.assert_close(shown[:, corner::factor, corner::factor], mask, rtol=0, atol=0)
