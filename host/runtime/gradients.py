"""Autograd through a MODEL of ComfyUI, which runs every node under inference mode.

Three things stand in the way, and each is taken away for as long as it must be: weights made under inference mode
cannot be saved for a backward pass; weights that are streamed to the device share buffers, which the graph would read
after they were overwritten; and some attention kernels have no backward.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.model_management
import comfy.patcher_extension
import torch
from comfy.ldm.modules.attention import SpatialTransformer, attention_pytorch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn import Module
from torch.utils.checkpoint import checkpoint

KEY = "appearance_transfer_gradients"
ROOM = 8  # activations kept for the backward pass, in forwards' worth of memory
PLAIN = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
PLAIN_TENSORS = {Tensor}  # quantized weights are of a subclass, which claims the dtype that they were made from


def differentiable(model: ModelPatcher) -> ModelPatcher:
    """A clone to compute gradients with: loaded whole, in fp32, with an attention that has a backward.

    Half-precision weights stay as they are and are cast layer by layer: gradients of a mean over a whole latent are
    smaller than half precision can hold.

    Raises ValueError for weights that are quantized or cannot be loaded whole, before anything is computed.
    """
    unet = model.get_model_object("diffusion_model")
    for name, parameter in unet.named_parameters():
        if parameter.dtype not in PLAIN or type(parameter.data) not in PLAIN_TENSORS:
            raise ValueError(
                f"The weights of this MODEL are quantized ({name}: {parameter.dtype}), and no gradients go through "
                "them. Load the checkpoint in fp32, fp16 or bf16."
            )
    if comfy.model_management.vram_state == comfy.model_management.VRAMState.NO_VRAM:
        raise ValueError(
            "ComfyUI was started with --novram, which streams the weights of every MODEL, and gradients need them "
            "loaded whole. Start it with --lowvram, or without either."
        )
    if model.is_dynamic() and model.cached_patcher_init is None:
        raise ValueError(
            "This MODEL streams its weights and its loader cannot load them whole, which gradients need. "
            "Use another loader, or start ComfyUI with --disable-dynamic-vram."
        )
    with torch.inference_mode(False):
        clone = model.clone(disable_dynamic=True)
    if (model.get_model_object("manual_cast_dtype") or model.model_dtype()) != torch.float32:
        clone.set_model_compute_dtype(torch.float32)
    clone.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.PREPARE_SAMPLING, KEY, _load_whole)
    clone.model_options["transformer_options"]["optimized_attention_override"] = _attention_with_backward
    return clone


@contextmanager
def autograd_inside(module: Module) -> Iterator[None]:
    """While a model is loaded for a run: leave inference mode and make its weights ones that autograd may keep.

    The weights keep every bit; what they lose, for good, is the mark of having been made under inference mode.
    """
    training = comfy.model_management.in_training
    comfy.model_management.in_training = True  # ComfyUI then takes rotary embeddings and norms that have a backward
    try:
        with torch.inference_mode(False):
            _lift_inference(module)
            yield
    finally:
        comfy.model_management.in_training = training


@contextmanager
def changes_in_place_kept(network: Module) -> Iterator[None]:
    """Within, autograd keeps what ComfyUI's diffusion transformers write over: their blocks add to tokens in place."""
    with torch.autograd.graph.allow_mutation_on_saved_tensors():
        yield


@contextmanager
def transformers_recomputed(network: Module) -> Iterator[None]:
    """Within, the graph keeps of every transformer block of a U-Net only what enters it.

    The rest is computed a second time on the way back, one block at a time. These blocks hold most of what a gradient
    through a U-Net keeps: of SD1.5 at 512 px and two rows, 1.1 GiB remain of 2.8 (8.1 without fused attention).
    """
    stacks = {
        module: module.transformer_blocks for module in network.modules() if isinstance(module, SpatialTransformer)
    }
    try:
        for module, blocks in stacks.items():
            module.transformer_blocks = torch.nn.ModuleList(map(_Recomputed, blocks))
        yield
    finally:
        for module, blocks in stacks.items():
            module.transformer_blocks = blocks


class _Recomputed(Module):
    """Stands in for a transformer block, with its position in ComfyUI's loop over them."""

    def __init__(self, block: Module):
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, *, context: Tensor, transformer_options: dict[str, Any]) -> Tensor:
        # ComfyUI goes on writing into the options; the second time the block must find them as they are now.
        options = dict(transformer_options)
        return checkpoint(self.block, x, context, options, use_reentrant=False, preserve_rng_state=False)


def _lift_inference(module: Module) -> None:
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            if parameter.is_inference():
                _unpin(parameter)
                setattr(part, name, torch.nn.Parameter(parameter.clone(), requires_grad=False))
        for name, buffer in list(part.named_buffers(recurse=False)):
            if buffer.is_inference():
                setattr(part, name, buffer.clone())


def _unpin(parameter: Tensor) -> None:
    """ComfyUI pins weights that it streams, by address. Loaded whole none are; one that still is must not be freed."""
    if parameter.device.type == "cpu" and parameter.is_pinned():
        comfy.model_management.unpin_memory(parameter)


def _load_whole(executor: Any, model: ModelPatcher, noise_shape: list[int], conds: Any, **options: Any) -> Any:
    return executor(model, [noise_shape[0] * ROOM, *noise_shape[1:]], conds, **{**options, "force_full_load": True})


def _attention_with_backward(function: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    return attention_pytorch(*args, **kwargs)
