"""The pocket checkpoint as an ordinary MODEL, CLIP and VAE.

ComfyUI recognizes checkpoints by the widths of released models, which a pocket-sized one does not have. So it is
built here from ComfyUI's own parts, and ComfyUI's list of known models stays as it is.
"""

from pathlib import Path

import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models
import comfy.utils
import torch
from comfy import sd1_clip
from comfy.supported_models_base import ClipTarget

from ...pocket.checkpoint import DEFAULT_NETWORK, NETWORKS, PocketCheckpoint
from ...pocket.checkpoint_file import read_checkpoint
from ...pocket.flow import SHIFT
from ...pocket.transformer import TransformerConfig

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16}
PRECISION = "fp32"
UNET, TEXT, VAE = "model.diffusion_model.", "cond_stage_model.", "first_stage_model."


class PocketSD(comfy.supported_models.SD15):
    """Stable Diffusion 1.x in all but its size: eps prediction, scaled-linear schedule, latents times 0.18215."""

    unet_config: dict = {}
    unet_extra_config: dict = {}  # __init__ writes these over its arguments; SD1.5's 8 heads would replace ours
    memory_usage_factor = 0.3


class PocketFlux(comfy.supported_models.FluxSchnell):
    """Flux in all but its size: flow matching without a guidance value, on the latents of the pocket autoencoder."""

    unet_config: dict = {}
    unet_extra_config: dict = {}
    sampling_settings = {"multiplier": 1.0, "shift": SHIFT}
    latent_format = comfy.latent_formats.SD15
    memory_usage_factor = 0.3


class FirstTokens(sd1_clip.SD1ClipModel):
    """A text encoder of whose features only the first tokens go on: those that a pocket transformer was trained on."""

    tokens = TransformerConfig.text_tokens

    def encode_token_weights(self, token_weight_pairs):
        features, pooled, *rest = super().encode_token_weights(token_weight_pairs)
        return features[:, : self.tokens], pooled, *rest


def load_pocket_checkpoint(
    precision: str = PRECISION, network: str = DEFAULT_NETWORK
) -> tuple[comfy.model_patcher.ModelPatcher, comfy.sd.CLIP, comfy.sd.VAE]:
    """(MODEL, CLIP, VAE) of a committed checkpoint.

    precision: "fp32" or "fp16" weights of the network. network: one of NETWORKS.
    Raises FileNotFoundError where the file is missing, ValueError where it is damaged or a choice is not known.
    """
    if network not in NETWORKS:
        raise ValueError(f"The pocket network is {network!r}; choose one of {', '.join(map(repr, NETWORKS))}.")
    path = NETWORKS[network]
    checkpoint = read_checkpoint(path)
    state = {name: tensor.float() for name, tensor in checkpoint.host_state().items()}
    vae = comfy.sd.VAE(sd=comfy.utils.state_dict_prefix_replace(dict(state), {VAE: ""}, filter_keys=True))
    return load_pocket_model(path, precision), _clip(checkpoint, state), vae


def load_pocket_model(path: Path, precision: str, disable_dynamic: bool = False) -> comfy.model_patcher.ModelPatcher:
    """The MODEL alone. ComfyUI also calls this when it needs an independent copy of the weights."""
    if precision not in PRECISIONS:
        raise ValueError(f"The precision is {precision!r}; choose one of {', '.join(PRECISIONS)}.")
    checkpoint = read_checkpoint(path)
    dtype = PRECISIONS[precision]
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    transformer = checkpoint.transformer_config
    if transformer is None:
        config = PocketSD(checkpoint.unet_config.host_arguments())
    else:
        config = PocketFlux(transformer.host_arguments())
    cast = comfy.model_management.unet_manual_cast(dtype, device, config.supported_inference_dtypes)
    config.set_inference_dtype(dtype, cast)
    state = {name: tensor.to(dtype) for name, tensor in checkpoint.tensors.items() if name.startswith(UNET)}
    model = config.get_model(state, UNET, device=offload)
    patcher_class = comfy.model_patcher.ModelPatcher if disable_dynamic else comfy.model_patcher.CoreModelPatcher
    patcher = patcher_class(model, load_device=device, offload_device=offload)
    model.load_model_weights(state, UNET, assign=patcher.is_dynamic())
    patcher.cached_patcher_init = (load_pocket_model, (path, precision))
    return patcher


def _clip(checkpoint: PocketCheckpoint, state: dict[str, torch.Tensor]) -> comfy.sd.CLIP:
    encoder = sd1_clip.SD1ClipModel if checkpoint.transformer_config is None else FirstTokens
    target = ClipTarget(sd1_clip.SD1Tokenizer, encoder)
    weights = comfy.utils.state_dict_prefix_replace(dict(state), {TEXT: "clip_l."}, filter_keys=True)
    parameters = comfy.utils.calculate_parameters(weights)
    options = {"clip_l_model_config": checkpoint.text_config.as_dict()}
    return comfy.sd.CLIP(
        target, tokenizer_data=weights, parameters=parameters, state_dict=weights, model_options=options
    )
