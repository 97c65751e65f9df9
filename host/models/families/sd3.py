"""SD3 and SD3.5: blocks that keep text and image apart; in SD3.5 medium some attend to the image alone once more.

Registers, text, image. No RoPE: a table of positions is a part of the features, so keys carry what and where mixed.
ComfyUI names no block here. 16 channels at /8, patch 2. The pooled text is a part of the conditioning.
"""

from comfy.ldm.modules.diffusionmodules.mmdit import MMDiT
from torch.nn import Module

from .transformer import HiddenState, Transformer, blocks_of


def sd3(network: Module) -> Transformer | None:
    """What a network of this architecture is; None for every other."""
    if not isinstance(network, MMDiT):
        return None
    blocks = blocks_of("double", network.joint_blocks)
    return Transformer(
        family="SD3",
        blocks=blocks,
        attending_twice=frozenset(
            key for key, block in zip(blocks, network.joint_blocks, strict=True) if block.x_block.x_block_self_attn
        ),
        width=network.hidden_size,
        patch=network.patch_size,
        identity="final_layer.linear.bias",
        unrotated=False,
        names_blocks=False,
        hidden={"double": HiddenState("joint_blocks", "x_block.norm1", "x_block.attn.qkv")},
    )
