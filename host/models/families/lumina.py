"""Lumina 2 and Z-Image: one sequence of text and image, both refined before the blocks.

Text first, then the image; Z-Image fills both up to multiples of 32, the image's pads last. On the first axis of RoPE
the image stands one behind the end of the text. ComfyUI hands out nothing before RoPE, and no block can be replaced. 16
channels at /8, patch 2. Of an attention mask only the number of tokens is read.
"""

from comfy.ldm.lumina.model import NextDiT
from torch.nn import Module

from ....attention.untwisted import Untwisting
from .transformer import HiddenState, TextAxis, Transformer, blocks_of


def lumina(network: Module) -> Transformer | None:
    """What a network of this architecture is; None for every other."""
    if type(network) is not NextDiT:
        return None
    multiple = network.pad_tokens_multiple
    return Transformer(
        family="Lumina 2" if multiple is None else "Z-Image",
        blocks=blocks_of("double", network.layers),
        width=network.dim,
        patch=network.patch_size,
        identity="final_layer.linear.bias",
        padded_to=multiple or 1,
        unrotated=False,
        axes=tuple(network.axes_dims),
        theta=float(network.rope_embedder.theta),
        untwisting=Untwisting(flat_axes=()),  # on Z-Image the axis of the text takes the curve of the others
        hidden={"double": HiddenState("layers", "attention_norm1", "attention.qkv")},
        text_axis=TextAxis(network.axes_dims[0], network.rope_embedder.theta),
    )
