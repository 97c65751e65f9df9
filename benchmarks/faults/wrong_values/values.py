"""The wrong values by name, and what each is wrong for: see `WRONG_FOR` in ../inputs.py."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

SIDE = 128


def _with(value: float, *shape: int) -> Tensor:
    """Halves, of which one number is another."""
    tensor = torch.full(shape, 0.5)
    tensor.view(-1)[tensor.numel() // 2] = value
    return tensor


def _prompt(text: Tensor, **options: Any) -> list:
    return [[text, options]]


def _transformer(name: str, config: dict[str, Any]) -> Any:
    """A tiny MODEL of random weights of one of ComfyUI's transformer families."""
    import comfy.supported_models
    from comfy.model_patcher import ModelPatcher

    family = getattr(comfy.supported_models, name)
    # ComfyUI writes the class's settings over those it is given: what we give must not stand there
    kept = {key: value for key, value in family.unet_extra_config.items() if key not in config}
    settings = type(name, (family,), {"unet_extra_config": kept})(dict(config))
    settings.set_inference_dtype(torch.float32, None)
    cpu = torch.device("cpu")
    return ModelPatcher(settings.get_model({}, "", device=cpu), load_device=cpu, offload_device=cpu)


def _flux() -> Any:
    return _transformer("Flux", {
        "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 32, "context_in_dim": 48,
        "hidden_size": 64, "mlp_ratio": 2.0, "num_heads": 2, "depth": 1, "depth_single_blocks": 1,
        "axes_dim": [8, 12, 12], "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True,
        "txt_ids_dims": [],
    })  # fmt: skip


def _sd3() -> Any:
    embedder = {"target": "torch.nn.Linear", "params": {"in_features": 48, "out_features": 128}}
    return _transformer("SD3", {
        "in_channels": 16, "out_channels": 16, "patch_size": 2, "depth": 2, "num_blocks": 2, "input_size": None,
        "adm_in_channels": 32, "context_size": 48, "context_embedder_config": embedder, "num_patches": 64 * 64,
        "pos_embed_max_size": 64, "qk_norm": "rms", "pos_embed_scaling_factor": None, "x_block_self_attn_layers": [],
    })  # fmt: skip


def _lumina() -> Any:
    return _transformer("Lumina2", {
        "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": 64, "cap_feat_dim": 48, "n_layers": 1,
        "n_refiner_layers": 1, "qk_norm": True, "n_heads": 2, "n_kv_heads": 1, "axes_dims": [8, 12, 12],
        "axes_lens": [300, 512, 512], "rope_theta": 10000.0, "ffn_dim_multiplier": 1.0, "multiple_of": 32,
    })  # fmt: skip


def _pixart() -> Any:
    return _transformer("PixArtSigma", {
        "image_model": "pixart_sigma", "num_heads": 2, "patch_size": 2, "hidden_size": 64, "in_channels": 4, "depth": 1,
        "micro_condition": False, "caption_channels": 48, "model_max_length": 12, "input_size": 16,
    })  # fmt: skip


class _Foreign:
    """Something of another pack."""


VALUES: dict[str, Callable[[], Any]] = {
    "nothing": lambda: None,
    "a number": lambda: 7,
    "a text": lambda: "seven",
    "a long text": lambda: "x" * 100_000,
    "an object": _Foreign,
    "a class": lambda: _Foreign,
    "an empty list": list,
    "an empty mapping": dict,
    "a flat tensor": lambda: torch.ones(3, 3),
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus a million": lambda: -1_000_000,
    "a huge number": lambda: 10**400,
    "a fraction": lambda: 2.5,
    "an image with NaN": lambda: _with(float("nan"), 1, SIDE, SIDE, 3),
    "an infinite image": lambda: _with(float("inf"), 1, SIDE, SIDE, 3),
    "no images": lambda: torch.ones(0, SIDE, SIDE, 3),
    "an image without pixels": lambda: torch.ones(1, 0, SIDE, 3),
    "an image without its batch": lambda: torch.ones(SIDE, SIDE, 3),
    "an image of whole numbers": lambda: torch.ones(1, SIDE, SIDE, 3, dtype=torch.uint8),
    "an image of one channel": lambda: torch.ones(1, SIDE, SIDE, 1),
    "a mask with NaN": lambda: _with(float("nan"), 1, SIDE, SIDE),
    "no masks": lambda: torch.ones(0, SIDE, SIDE),
    "a mask without pixels": lambda: torch.ones(1, SIDE, 0),
    "a mask of whole numbers": lambda: torch.ones(1, SIDE, SIDE, dtype=torch.int64),
    "three masks": lambda: torch.ones(3, SIDE, SIDE),
    "a mask without its batch": lambda: torch.ones(SIDE, SIDE),
    "a mask of another shape": lambda: torch.ones(1, SIDE, SIDE // 3),
    "a latent with NaN": lambda: {"samples": _with(float("nan"), 1, 4, 16, 16)},
    "no latents": lambda: {"samples": torch.ones(0, 4, 16, 16)},
    "a latent without pixels": lambda: {"samples": torch.ones(1, 4, 0, 16)},
    "a latent of 16 channels": lambda: {"samples": torch.ones(1, 16, 16, 16)},
    "a latent that is none": lambda: {"samples": "none"},
    "a conditioning with NaN": lambda: _prompt(_with(float("nan"), 1, 77, 64)),
    "a conditioning without tokens": lambda: _prompt(torch.ones(1, 0, 64)),
    "a conditioning of another CLIP": lambda: _prompt(torch.ones(1, 77, 640)),
    "a conditioning without options": lambda: [[torch.ones(1, 77, 64)]],
    "sigmas with NaN": lambda: _with(float("nan"), 5),
    "no sigmas": lambda: torch.ones(0),
    "one sigma": lambda: torch.ones(1),
    "rising sigmas": lambda: torch.tensor([0.5, 1.0, 2.0]),
    "negative sigmas": lambda: torch.tensor([2.0, 1.0, -1.0]),
    "Flux": _flux,
    "PixArt": _pixart,
    "SD3": _sd3,
    "Lumina": _lumina,
}
