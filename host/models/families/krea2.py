"""Krea 2: blocks over one sequence; several query heads share a key head, which ComfyUI repeats before the attention.

Text first, then the image, then reference latents, which count only where the conditioning names a method. RoPE has
the text at the origin. 16 channels at /8 with an axis of frames (Wan's autoencoder), patch 2.
"""

from comfy.ldm.krea2.model import SingleStreamDiT
from torch.nn import Module

from ....attention.untwisted import Untwisting
from .transformer import HiddenState, Transformer, blocks_of


def krea2(network: Module) -> Transformer | None:
    """What a network of this architecture is; None for every other."""
    if type(network) is not SingleStreamDiT:
        return None
    blocks = blocks_of("single", network.blocks)
    return Transformer(
        "Krea 2",
        blocks,
        network.first.out_features,
        network.patch,
        identity="last.linear.bias",
        axes=tuple(network.pe_embedder.axes_dim),
        theta=float(network.pe_embedder.theta),
        # a published port of Untwisting RoPE to this model, for its 8 steps
        untwisting=Untwisting(fast=(1.04, 0.0), slow=(1.0, 1.1), exponent=2.5, gain=1.06, adain=0.85),
        hidden={"single": HiddenState("blocks", "prenorm", "attn.wq")},
    )
