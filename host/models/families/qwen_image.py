"""Qwen-Image with Edit: blocks that keep text and image apart throughout.

Text first, then the image, then reference latents. RoPE is centered on the image; the text stands outside of it. 16
channels at /8 with an axis of frames (Wan's autoencoder), patch 2. A mask of the text's tokens reaches every attention.
"""

from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel
from torch.nn import Module

from .transformer import HiddenState, Transformer, blocks_of


def qwen_image(network: Module) -> Transformer | None:
    """What a network of this architecture is; None for every other."""
    if type(network) is not QwenImageTransformer2DModel:
        return None
    blocks = blocks_of("double", network.transformer_blocks)
    axes = tuple(network.pe_embedder.axes_dim)
    return Transformer(
        "Qwen-Image",
        blocks,
        network.inner_dim,
        network.patch_size,
        identity="proj_out.bias",
        axes=axes,
        theta=float(network.pe_embedder.theta),
        hidden={"double": HiddenState("transformer_blocks", "img_norm1", "attn.to_q")},
    )
