"""Which decoder layers a method of the papers means, per model family.

The papers name layers by their size on a 512 px SD1.5 ("the 64x64 and 32x32 layers of the decoder"). Here a layer is
named by its *level*: the factor by which its grid is smaller than the latent. Each method uses the two finest levels
that have self-attention: /1 and /2 for SD1.x and SD2.x, /2 and /4 for SDXL (which has none at /1).
"""

from dataclasses import dataclass

from comfy.ldm.modules.attention import SpatialTransformer
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel, Upsample
from comfy.model_patcher import ModelPatcher

SUPPORTED = "SD1.x, SD2.x, SDXL and other models with the Stable Diffusion U-Net"


@dataclass(frozen=True)
class DecoderLevels:
    """The decoder of one model: its two finest attention levels and where their layers sit.

    fine, coarse: downscale factors (1 and 2 for SD1.x). blocks: output-block number -> level of its self-attention.
    """

    fine: int
    coarse: int
    blocks: dict[int, int]

    def blocks_at(self, level: int) -> list[int]:
        return [number for number, at in self.blocks.items() if at == level]


def decoder_levels(model: ModelPatcher) -> DecoderLevels:
    """Read the decoder's attention levels off a loaded model.

    Raises ValueError naming the supported families for every architecture that is not such a U-Net.
    """
    unet = model.get_model_object("diffusion_model")
    if not isinstance(unet, UNetModel):
        raise ValueError(
            f"This MODEL is a {type(unet).__name__}, whose attention layers this node does not know. "
            f"It works with {SUPPORTED}: load such a checkpoint."
        )
    blocks = {}
    level = 1
    for number in reversed(range(len(unet.output_blocks))):
        modules = list(unet.output_blocks[number])
        if any(isinstance(module, Upsample) for module in modules):
            level *= 2
        if any(isinstance(module, SpatialTransformer) for module in modules):
            blocks[number] = level
    finest = sorted(set(blocks.values()))[:2]
    if len(finest) < 2:
        raise ValueError(
            f"The decoder of this MODEL has self-attention on {len(finest)} level(s), and two are needed. "
            f"Load one of {SUPPORTED}."
        )
    return DecoderLevels(fine=finest[0], coarse=finest[1], blocks=blocks)
