"""Tiny random networks of every family of transformers that a transfer knows, built from ComfyUI's own classes."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

TOKENS = 12
_TEXT = 48
_FLUX = {
    "image_model": "flux", "in_channels": 16, "out_channels": 16, "vec_in_dim": 32, "context_in_dim": _TEXT,
    "hidden_size": 64, "mlp_ratio": 2.0, "num_heads": 2, "depth": 2, "depth_single_blocks": 2, "axes_dim": [8, 12, 12],
    "theta": 10000, "patch_size": 2, "qkv_bias": True, "guidance_embed": True, "txt_ids_dims": [],
}  # fmt: skip
_FLUX2 = _FLUX | {
    "image_model": "flux2", "in_channels": 128, "out_channels": 128, "vec_in_dim": None, "axes_dim": [8, 8, 8, 8],
    "theta": 2000, "patch_size": 1, "qkv_bias": False, "guidance_embed": False, "txt_ids_dims": [3],
    "global_modulation": True, "mlp_silu_act": True, "ops_bias": False, "default_ref_method": "index",
    "ref_index_scale": 10.0,
}  # fmt: skip
_CHROMA = _FLUX | {
    "image_model": "chroma", "in_channels": 64, "out_channels": 64, "in_dim": 64, "out_dim": 64, "hidden_dim": 32,
    "n_layers": 1, "vec_in_dim": None,
}  # fmt: skip
del _CHROMA["guidance_embed"]
_HUNYUAN = {
    "image_model": "hunyuan_video", "in_channels": 64, "out_channels": 64, "patch_size": [1, 1], "vec_in_dim": None,
    "axes_dim": [16, 16], "meanflow": False, "context_in_dim": _TEXT, "hidden_size": 64, "mlp_ratio": 2.0,
    "num_heads": 2, "depth": 2, "depth_single_blocks": 2, "theta": 256, "qkv_bias": True, "byt5": False,
    "guidance_embed": False, "use_cond_type_embedding": False, "vision_in_dim": None, "meanflow_sum": False,
}  # fmt: skip
_LUMINA = {
    "image_model": "lumina2", "patch_size": 2, "in_channels": 16, "dim": 64, "cap_feat_dim": _TEXT, "n_layers": 3,
    "n_refiner_layers": 1, "qk_norm": True, "n_heads": 2, "n_kv_heads": 1, "axes_dims": [8, 12, 12],
    "axes_lens": [300, 512, 512], "rope_theta": 10000.0, "ffn_dim_multiplier": 1.0, "multiple_of": 32,
}  # fmt: skip
_Z_IMAGE = _LUMINA | {  # its modulation reads 256 numbers whatever the width
    "dim": 256, "n_heads": 4, "n_kv_heads": 4, "axes_dims": [16, 24, 24], "rope_theta": 256.0,
    "z_image_modulation": True, "time_scale": 1000.0, "pad_tokens_multiple": 32,
}  # fmt: skip
_QWEN = {
    "image_model": "qwen_image", "in_channels": 64, "out_channels": 16, "num_layers": 3, "attention_head_dim": 32,
    "num_attention_heads": 2, "joint_attention_dim": _TEXT, "axes_dims_rope": (8, 12, 12),
}  # fmt: skip
_KREA = {
    "image_model": "krea2", "features": 64, "channels": 16, "patch": 2, "layers": 3, "heads": 2, "kvheads": 1,
    "txtlayers": 2, "txtdim": 32, "txtheads": 2, "txtkvheads": 2, "multiplier": 2, "tdim": 64,
}  # fmt: skip
_SD3 = {
    "in_channels": 16, "patch_size": 2, "out_channels": 16, "depth": 2, "num_blocks": 3, "input_size": None,
    "adm_in_channels": 32, "context_size": _TEXT, "num_patches": 64 * 64, "pos_embed_max_size": 64, "qk_norm": "rms",
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": _TEXT, "out_features": 128}},
    "pos_embed_scaling_factor": None, "x_block_self_attn_layers": [],
}  # fmt: skip


@dataclass
class Tiny:
    """One family: the class in comfy.supported_models, sizes, latent [C, h, w], and what its texts hold besides."""

    base: str
    config: dict
    latent: tuple[int, int, int] = (16, 16, 16)
    text: int = _TEXT
    besides: dict[str, Callable[[torch.Generator], object]] = field(default_factory=dict)

    def model(self, seed: int = 0):
        """A MODEL with random weights, fp32."""
        import comfy.model_patcher

        cpu = torch.device("cpu")
        model = self.built(cpu)
        _randomize(model.diffusion_model, seed)
        return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)

    def built(self, device: torch.device):
        """ComfyUI's BaseModel, fp32, with whatever weights; on the device "meta" it takes no memory."""
        import comfy.supported_models

        base = getattr(comfy.supported_models, self.base)
        # ComfyUI writes unet_extra_config over what it is given, so what we give has to be left out there
        left = {name: value for name, value in base.unet_extra_config.items() if name not in self.config}
        config = type(base.__name__, (base,), {"unet_extra_config": left})(dict(self.config))
        config.set_inference_dtype(torch.float32, None)
        return config.get_model({}, "", device=device)

    def prompt(self, seed: int, tokens: int = TOKENS, **more) -> list:
        """A CONDITIONING of random embeddings."""
        draw = torch.Generator().manual_seed(1000 + seed)
        embedding = torch.randn(1, tokens, self.text, generator=draw)
        return [[embedding, {name: make(draw) for name, make in self.besides.items()} | more]]

    def image(self, seed: int, images: int = 1, size: tuple[int, int] | None = None) -> torch.Tensor:
        """The samples of a LATENT of random images, [B, C, h, w]."""
        channels, *sides = self.latent
        generator = torch.Generator().manual_seed(2000 + seed)
        return torch.randn(images, channels, *(size or sides), generator=generator)


def _pooled(draw: torch.Generator) -> torch.Tensor:
    return torch.randn(1, 32, generator=draw)


TINY = {
    "SD3": Tiny("SD3", _SD3, besides={"pooled_output": _pooled}),
    "SD3.5 medium": Tiny("SD3", _SD3 | {"x_block_self_attn_layers": [0, 1]}, besides={"pooled_output": _pooled}),
    "Flux.1": Tiny("Flux", _FLUX, besides={"pooled_output": _pooled, "guidance": lambda draw: 3.5}),
    "Flux.1 schnell": Tiny("FluxSchnell", _FLUX | {"guidance_embed": False}, besides={"pooled_output": _pooled}),
    "Flux.2": Tiny("Flux2", _FLUX2, (128, 8, 8)),
    "Chroma": Tiny("Chroma", _CHROMA),
    "HunyuanImage": Tiny("HunyuanImage21", _HUNYUAN, (64, 8, 8)),
    "Lumina 2": Tiny("Lumina2", _LUMINA),
    "Z-Image": Tiny("ZImage", _Z_IMAGE),
    "Qwen-Image": Tiny("QwenImage", _QWEN),
    "Krea 2": Tiny("Krea2", _KREA, text=64),
}


def _randomize(network: torch.nn.Module, seed: int) -> None:
    """Random weights that keep the activations in order; norms stay near 1."""
    draw = torch.Generator().manual_seed(seed)
    for name, value in [*network.named_parameters(), *network.named_buffers()]:
        if not value.is_floating_point() or value.numel() == 0:
            continue
        fresh = torch.randn(value.shape, generator=draw)
        if value.ndim > 1:
            fresh *= 0.7 / value[0].numel() ** 0.5
        else:
            is_norm = name.endswith("scale") or ("norm" in name and name.endswith("weight"))
            fresh = 0.1 * fresh + (1.0 if is_norm else 0.0)
        value.data.copy_(fresh)
