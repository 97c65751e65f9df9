"""Which part of the reference paints which part of the picture, as a picture."""

from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn.functional import interpolate

from ..attention.match_map import attended_places
from ..inversion.record import Inversion
from .capture import capture_tokens


def paint_with_matches(
    model: ModelPatcher, structure: Inversion, appearance: Inversion, picture: Tensor, step: int
) -> tuple[Tensor, Tensor]:
    """Fill every place of the structure with the piece of the appearance that it looks at most.

    picture: [B, H, W, 3], the appearance in 0..1. step: executed step at which both are looked at.

    Returns IMAGE [B, H, W, 3] and MASK [B, h, w], how decided each place is: 0 looks everywhere, 1 at one place only.
    Raises ValueError where the inversions differ in size or in number of pictures.
    """
    if structure.size != appearance.size or appearance.pictures not in (1, structure.pictures):
        raise ValueError(
            f"The structure holds {structure.pictures} picture(s) of {structure.extent} and the appearance "
            f"{appearance.pictures} of {appearance.extent} (in latent pixels). "
            "Invert pictures of one size, in equal number."
        )
    asking = capture_tokens(model, structure, step)
    offering = capture_tokens(model, appearance, step)
    index, weight = attended_places(asking.q, offering.k)
    height, width = asking.grid
    pieces = interpolate(picture.movedim(-1, 1), size=asking.grid, mode="area").flatten(2)
    pieces = pieces.expand(len(index), -1, -1)
    painted = pieces.gather(2, index[:, None].expand(-1, pieces.shape[1], -1)).unflatten(2, (height, width))
    painted = interpolate(painted, size=picture.shape[1:3], mode="nearest-exact").movedim(1, -1)
    uniform = 1 / (height * width)
    decided = ((weight - uniform) / (1 - uniform)).clamp(0, 1).unflatten(1, (height, width))
    return painted.contiguous(), decided
