"""What the page shows of a picture while its node runs."""

from PIL import Image
from torch import Tensor

from ..splice.augmentation import to_pillow

SIDE = 512  # pixels that the page shows at most


def preview_of(picture: Tensor) -> tuple[str, Image.Image, int]:
    """[1, 3, H, W] in 0..1 as the host's progress bar sends it."""
    return "JPEG", to_pillow(picture), SIDE
