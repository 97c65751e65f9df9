"""What published networks record of a reference at 1024 px, as docs/models.md lists it.

The networks are ComfyUI's own classes in their published sizes, without weights.
"""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.attention.recorded_bytes import recorded_bytes
from appearance_transfer.tests.host.test_families import SD15, SDXL
from appearance_transfer.tests.host.tiny_transformers import TINY

DOCS = Path(__file__).parents[2] / "docs" / "models.md"
META = torch.device("meta")
VALUE = 2  # bytes: fp16 or bf16
SIDE = 1024


def flux(depth: int, single: int, width: int, heads: int) -> dict:
    return {
        "depth": depth, "depth_single_blocks": single, "hidden_size": width, "num_heads": heads,
        "axes_dim": [16, 56, 56],
    }  # fmt: skip


PUBLISHED = {  # name in the table: (tiny family, what is larger, pixels along a side of a latent's position)
    "Flux.1 (dev, schnell, Krea)": ("Flux.1", flux(19, 38, 3072, 24), 8),
    "Flux.2 dev": ("Flux.2", flux(8, 48, 6144, 48) | {"axes_dim": [32] * 4}, 16),
    "Flux.2 Klein 9B": ("Flux.2", flux(8, 24, 4096, 32) | {"axes_dim": [32] * 4}, 16),
    "Flux.2 Klein 4B": ("Flux.2", flux(5, 20, 3072, 24) | {"axes_dim": [32] * 4}, 16),
    "Chroma": ("Chroma", flux(19, 38, 3072, 24) | {"out_dim": 3072}, 8),
    "HunyuanImage 2.1": ("HunyuanImage", flux(20, 40, 3584, 28) | {"axes_dim": [64, 64]}, 32),
    "Qwen-Image": (
        "Qwen-Image",
        {
            "num_layers": 60,
            "attention_head_dim": 128,
            "num_attention_heads": 24,
            "axes_dims_rope": (16, 56, 56),
        },
        8,
    ),
    "Krea 2": ("Krea 2", {"features": 6144, "layers": 28, "heads": 48, "kvheads": 12}, 8),
    "Z-Image": (
        "Z-Image",
        {"dim": 3840, "n_layers": 30, "n_heads": 30, "n_kv_heads": 30, "axes_dims": [32, 48, 48]},
        8,
    ),
    "Lumina 2": ("Lumina 2", {"dim": 2304, "n_layers": 26, "n_heads": 24, "n_kv_heads": 8, "axes_dims": [32] * 3}, 8),
    "SD3.5 large": ("SD3", {"depth": 38, "num_blocks": 38}, 8),
    "SD3.5 medium": (
        "SD3.5 medium",
        {"depth": 24, "num_blocks": 24, "x_block_self_attn_layers": list(range(13))},
        8,
    ),
}
UNETS = {"SD1.x": SD15, "SDXL": SDXL}


def network(name: str):
    """(what stands for a MODEL, size of its latent at 1024 px)"""
    if name in UNETS:
        import comfy.ops
        from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

        unet = UNetModel(**UNETS[name], dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)
        return SimpleNamespace(get_model_object=lambda what: unet), SIDE // 8
    family, larger, pixels = PUBLISHED[name]
    tiny = TINY[family]
    if family.startswith("SD3"):
        width = 64 * larger["depth"]
        larger = larger | {
            "context_embedder_config": {
                "target": "torch.nn.Linear",
                "params": {"in_features": tiny.text, "out_features": width},
            }
        }
    found = replace(tiny, config=tiny.config | larger).built(META).diffusion_model
    return SimpleNamespace(get_model_object=lambda what: found), SIDE // pixels


def cells(model, side: int, method, settings) -> list[str]:
    """How many layers record, of one reference at most in one of them, and in all."""
    from appearance_transfer.host.transfer.network_patch import network_patch

    try:
        patch = network_patch(model, method, settings)
    except ValueError:
        return ["-"] * 3
    kept = SimpleNamespace(kept_per_channel=lambda joint: method.kept_per_channel(None, joint))
    found = recorded_bytes([patch.recorded_layers(kept, (side, side))], VALUE)
    return [str(found.layers), f"{found.largest / 2**20:.0f} MiB", f"{found.whole / 2**30:.2f} GiB"]


def row(name: str) -> str:
    """Its line of the table."""
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageAttention, CrossImageSettings
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings, SemanticRearrangement

    model, side = network(name)
    attention = cells(model, side, CrossImageAttention, CrossImageSettings())
    rearrangement = cells(model, side, SemanticRearrangement, RearrangementSettings())
    return f"| {' | '.join([name, *attention, *rearrangement])} |"


@pytest.mark.parametrize("name", [*UNETS, *PUBLISHED])
def test_docs(host, name) -> None:
    assert row(name) in DOCS.read_text(encoding="utf-8").splitlines()
