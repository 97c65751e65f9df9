"""FlowEdit (Kulikov et al., arXiv 2412.08629, algorithm 1): an image is edited along the difference of two predictions,
without inverting it.

At every level the image is noised anew. One prediction is of the noised image, the other of the same with everything
that has been changed so far; what both agree on stays. ComfyUI's models tell what an image without noise would be, D,
so the velocity at level sigma is (x - D) / sigma, for flow models and for those that predict noise alike.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
"""(x [B, C, h, w], sigma) -> the image that is predicted from it."""


def flow_edit(
    edited: Denoise,
    plain: Denoise,
    noised: Callable[[float], Tensor],
    image: Tensor,
    sigmas: Sequence[float],
    *,
    after_step: Callable[[Tensor, int], Tensor] | None = None,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """The edited image [B, C, h, w]; where sigmas do not end at 0, as far as it has been edited by then.

    edited, plain: what is predicted with the edit and without it. noised(sigma): the image in noise of that level,
    drawn anew at each call. sigmas: of the steps, falling. after_step(image, i): what goes on from step i.
    on_step(i, image): told what the edited image would be if step i were the last.
    """
    current = image
    for i, (sigma, below) in enumerate(pairwise(sigmas)):
        source = noised(sigma)
        offset = current - image
        change = edited(source + offset, sigma) - plain(source, sigma)
        if on_step is not None:
            on_step(i, image + change)
        current = current + (below - sigma) / sigma * (offset - change)
        if after_step is not None:
            current = after_step(current, i)
    return current
