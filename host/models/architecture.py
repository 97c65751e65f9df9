"""Which kind of network a MODEL is: a U-Net, a transformer that we know, or neither."""

from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_patcher import ModelPatcher
from torch.nn import Module

from ..runtime.supported import SUPPORTED, TRANSFORMERS
from .families.flux import flux
from .families.krea2 import krea2
from .families.lumina import lumina
from .families.qwen_image import qwen_image
from .families.sd3 import sd3
from .families.transformer import Transformer

FAMILIES = (flux, lumina, qwen_image, krea2, sd3)


def network_of(model: ModelPatcher) -> Module:
    """The denoising network of a MODEL."""
    return model.get_model_object("diffusion_model")


def is_unet(network: Module) -> bool:
    """Whether it is ComfyUI's U-Net of SD1.x, SD2.x and SDXL."""
    return isinstance(network, UNetModel)


def transformer_of(network: Module) -> Transformer | None:
    """What a transfer has to know about a transformer; None for a network that is none of those we know."""
    return next((found for family in FAMILIES if (found := family(network)) is not None), None)


def known_transformer(network: Module) -> Transformer:
    """The same. Raises ValueError naming the supported families for every other network."""
    found = transformer_of(network)
    if found is None:
        raise ValueError(
            f"This MODEL is a {type(network).__name__}, whose attention this node does not know. It works with "
            f"{SUPPORTED}, and with {TRANSFORMERS}: load such a checkpoint."
        )
    return found


def identity_of(network: Module) -> str | None:
    """The name of the parameter that tells the weights of a network apart; None where we know of none."""
    transformer = transformer_of(network)
    if transformer is not None:
        return transformer.identity
    out = getattr(network, "out", None)
    return f"out.{len(out) - 1}.bias" if is_unet(network) and out is not None else None
