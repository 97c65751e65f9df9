"""Flux.1, Flux.2 with Klein, Chroma and HunyuanImage: two kinds of blocks; the first keep text and image apart.

Text first, then the image, then reference latents of edit models. RoPE with the text at the origin, or along an axis
of its own (Flux.2), so that the image does not move with it. Flux.1: 16 channels at /8, patch 2; Flux.2: 128 at /16,
patch 1; HunyuanImage: 64 at /32, patch 1. Flux.1 dev and Flux.2 dev read a guidance value.
"""

from comfy.ldm.chroma.model import Chroma
from comfy.ldm.flux.model import Flux
from comfy.ldm.hunyuan_video.model import HunyuanVideo
from torch.nn import Module

from ....attention.untwisted import Untwisting
from .transformer import HiddenState, Transformer, blocks_of

OUTPUT_BIAS = "final_layer.linear.bias"
FLAT_AXES = {"Flux.1": (0,), "Flux.2": (0, 3), "Chroma": (0,), "HunyuanImage": ()}
"""The axes on which all tokens of an image stand at one place."""
FIRST_NORM = "double_blocks.0.img_attn.norm.query_norm.weight"


def flux(network: Module) -> Transformer | None:
    """What a network of this architecture is; None for every other."""
    if type(network) is Flux:
        two = bool(network.params.global_modulation)
        return _of("Flux.2" if two else "Flux.1", network, network.patch_size, FIRST_NORM if two else OUTPUT_BIAS)
    if type(network) is Chroma:
        return _of("Chroma", network, network.patch_size, OUTPUT_BIAS)
    if type(network) is HunyuanVideo and len(network.patch_size) == 2:
        return _of("HunyuanImage", network, network.patch_size[0], OUTPUT_BIAS)
    return None


def _of(family: str, network: Module, patch: int, identity: str) -> Transformer:
    double, single = network.double_blocks, network.single_blocks
    blocks = blocks_of("double", double) + blocks_of("single", single)
    # in the pocket transformer the silhouette suffers where earlier blocks read references, and colors gain nothing
    return Transformer(
        family,
        blocks,
        network.hidden_size,
        patch,
        identity,
        first_fraction=0.5,
        axes=tuple(network.pe_embedder.axes_dim),
        column_axis=1 if family == "HunyuanImage" else 2,
        theta=float(network.pe_embedder.theta),
        untwisting=Untwisting(flat_axes=FLAT_AXES[family]),
        hidden={
            "double": HiddenState("double_blocks", "img_norm1", "img_attn.qkv"),
            "single": HiddenState("single_blocks", "pre_norm", "linear1"),
        },
    )
