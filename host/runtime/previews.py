"""What the page shows of an image while its node runs, and of a mask or a small image afterwards."""

from PIL import Image
from torch import Tensor

from ...splice.augmentation import to_pillow

SIDE = 512  # pixels that the page shows at most
LEAST_SIDE = 256  # about as many as a node has room for; the page itself enlarges nothing


def preview_of(image: Tensor) -> tuple[str, Image.Image, int]:
    """[1, 3, H, W] in 0..1 as ComfyUI's progress bar sends it."""
    return "JPEG", to_pillow(image), SIDE


def enlarged(image: Tensor) -> Tensor:
    """A MASK [B, h, w] or IMAGE [B, h, w, C] with every pixel as a square of pixels, as large as a node can show it."""
    factor = max(LEAST_SIDE // max(image.shape[1:3]), 1)
    return image.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2)
