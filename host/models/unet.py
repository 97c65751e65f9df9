"""Which decoder layers a method of the papers means, per model family.

The papers name layers by their size on a 512 px SD1.5 ("the 64x64 and 32x32 layers of the decoder"). Here a layer is
named by its *level*: the factor by which its grid is smaller than the latent. Each method uses the two finest levels
that have self-attention: /1 and /2 for SD1.x and SD2.x, /2 and /4 for SDXL (which has none at /1).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import Downsample, UNetModel, Upsample
from comfy.model_patcher import ModelPatcher
from torch.nn import Module

from ..runtime.quoting import quoted
from ..runtime.supported import SUPPORTED


@dataclass(frozen=True)
class DecoderLevels:
    """The decoder of one model: its two finest attention levels and where their layers sit.

    fine, coarse: downscale factors (1 and 2 for SD1.x). blocks: output-block number -> level of its self-attention.
    channels: output-block number -> channels of its self-attention layers together.
    """

    fine: int
    coarse: int
    blocks: dict[int, int]
    channels: dict[int, int]

    def blocks_at(self, level: int) -> list[int]:
        return [number for number, at in self.blocks.items() if at == level]

    def both(self) -> list[int]:
        """The blocks of both levels."""
        return self.blocks_at(self.fine) + self.blocks_at(self.coarse)


def decoder_levels(model: ModelPatcher) -> DecoderLevels:
    """Read the decoder's attention levels off a loaded model.

    Raises ValueError naming the supported families for every architecture that is not such a U-Net.
    """
    unet = _unet(model.get_model_object("diffusion_model"))
    blocks = _decoder(unet)
    finest = sorted(set(blocks.values()))[:2]
    if len(finest) < 2:
        raise ValueError(
            f"The decoder of this MODEL has self-attention on {len(finest)} level(s), and two are needed. "
            f"Load one of {SUPPORTED}."
        )
    return DecoderLevels(fine=finest[0], coarse=finest[1], blocks=blocks, channels=_channels(unet))


def text_layers(model: ModelPatcher) -> dict[int, list[tuple[str, int]]]:
    """Where a model looks at its text: level -> its blocks with cross-attention, as ComfyUI names them.

    A block is ("input" | "middle" | "output", number). Raises ValueError as `decoder_levels` does.
    """
    unet = _unet(model.get_model_object("diffusion_model"))
    layers: dict[int, list[tuple[str, int]]] = {}
    level = 1
    for number, block in enumerate(unet.input_blocks):
        if _has(block, Downsample):
            level *= 2
        if _has(block, SpatialTransformer):
            layers.setdefault(level, []).append(("input", number))
    if unet.middle_block is not None and _has(unet.middle_block, SpatialTransformer):
        layers.setdefault(level, []).append(("middle", 0))
    for number, at in sorted(_decoder(unet).items()):
        layers.setdefault(at, []).append(("output", number))
    return layers


def text_blocks(model: ModelPatcher, downscales: Collection[int] | None = None) -> list[tuple[str, int]]:
    """The blocks with cross-attention so many times smaller than the latent, or all; see `text_layers`.

    Raises ValueError as `text_layers` does, and for a downscale without such a block.
    """
    layers = text_layers(model)
    missing = sorted(set(downscales or ()) - layers.keys())
    if missing:
        raise ValueError(
            f"This MODEL has no cross-attention at downscale {', '.join(map(str, missing))}, only at "
            f"{', '.join(map(str, sorted(layers)))}. Choose among these."
        )
    return [block for at, blocks in layers.items() if downscales is None or at in downscales for block in blocks]


def parse_downscales(text: str) -> tuple[int, ...] | None:
    """Downscales as people write them, "2, 4"; None for "all". Raises ValueError for anything else."""
    if text.strip().lower() == "all":
        return None
    parts = text.replace(",", " ").split()
    if not parts or not all(part.isdecimal() for part in parts):
        raise ValueError(f"downscales is {quoted(text)}; write 'all', or some of 1, 2, 4, 8 with commas between them.")
    return tuple(int(part) for part in parts)


def up_block_ends(network: Module) -> list[Module]:
    """The last layer of every up block of the decoder, the coarsest first: its upsampler, or what ends the decoder.

    "Up block" as diffusers and DIFT count: all decoder blocks of one grid, with the upsampler to the next one. SD1.x
    and SD2.x have 4 (outputs on /4, /2, /1, /1 of the latent), SDXL has 3 (/2, /1, /1). Raises ValueError as
    `decoder_levels` does.
    """
    last_layers = [list(block)[-1] for block in _unet(network).output_blocks]
    return [layer for layer in last_layers[:-1] if isinstance(layer, Upsample)] + last_layers[-1:]


def has_up_blocks(network: Module) -> bool:
    """Whether a network is a U-Net whose up blocks can be read."""
    return isinstance(network, UNetModel)


def _unet(network: Module) -> UNetModel:
    if not isinstance(network, UNetModel):
        raise ValueError(
            f"This MODEL is a {type(network).__name__}, whose attention layers this node does not know. "
            f"It works with {SUPPORTED}: load such a checkpoint."
        )
    return network


def _decoder(unet: UNetModel) -> dict[int, int]:
    """Output-block number -> level, of the blocks with attention."""
    blocks = {}
    level = 1
    for number in reversed(range(len(unet.output_blocks))):
        if _has(unet.output_blocks[number], Upsample):
            level *= 2
        if _has(unet.output_blocks[number], SpatialTransformer):
            blocks[number] = level
    return blocks


def _channels(unet: UNetModel) -> dict[int, int]:
    """Output-block number -> channels of its self-attention layers together, of the blocks with attention."""
    return {
        number: sum(
            module.norm.num_channels * len(module.transformer_blocks)
            for module in block
            if isinstance(module, SpatialTransformer)
        )
        for number, block in enumerate(unet.output_blocks)
        if _has(block, SpatialTransformer)
    }


def _has(block: Iterable[Module], kind: type[Module]) -> bool:
    return any(isinstance(module, kind) for module in block)
