"""What the page shows of a mask or a small image: the same pixels, large enough to be seen."""

import pytest
import torch
from appearance_transfer.host.runtime.previews import enlarged


@pytest.mark.parametrize(("height", "width", "factor"), [(16, 16, 16), (64, 48, 4), (300, 200, 1)])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_every_pixel_becomes_a_square(height, width, factor, channels) -> None:
    image = torch.rand(2, height, width, *channels)
    preview = enlarged(image)
    assert preview.shape == (2, height * factor, width * factor, *channels)
    for corner in (0, factor - 1):
        torch.testing.assert_close(preview[:, corner::factor, corner::factor], image, rtol=0, atol=0)
