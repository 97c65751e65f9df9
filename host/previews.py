"""What the page shows of a picture while its node runs, and of a mask afterwards."""

from einops import repeat
from PIL import Image
from torch import Tensor

from ..splice.augmentation import to_pillow

SIDE = 512  # pixels that the page shows at most
MASK_SIDE = 256  # about as many as a node has room for; the page itself enlarges nothing


def preview_of(picture: Tensor) -> tuple[str, Image.Image, int]:
    """[1, 3, H, W] in 0..1 as the host's progress bar sends it."""
    return "JPEG", to_pillow(picture), SIDE


def enlarged(mask: Tensor) -> Tensor:
    """[B, h, w] with every place as a square of pixels, [B, H, W], as large as a node can show it."""
    factor = max(MASK_SIDE // max(mask.shape[1:]), 1)
    return repeat(mask, "b h w -> b (h y) (w x)", y=factor, x=factor)
