"""Which decoder layers are meant, read off the networks themselves (built without weights)."""

from types import SimpleNamespace

import pytest
import torch

SD15 = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "transformer_depth_middle": 1,
    "num_heads": 8,
    "num_head_channels": -1,
    "use_spatial_transformer": True,
    "context_dim": 768,
    "legacy": False,
}
SDXL = SD15 | {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "num_heads": -1,
    "num_head_channels": 64,
    "context_dim": 2048,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
}


@pytest.mark.parametrize(
    ("config", "fine", "coarse", "fine_blocks", "coarse_blocks"),
    [(SD15, 1, 2, {9, 10, 11}, {6, 7, 8}), (SDXL, 2, 4, {3, 4, 5}, {0, 1, 2})],
    ids=["SD1.5", "SDXL"],
)
def test_levels(host, config, fine, coarse, fine_blocks, coarse_blocks) -> None:
    import comfy.ops
    from appearance_transfer.host.models.unet import decoder_levels
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    unet = UNetModel(**config, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)
    levels = decoder_levels(SimpleNamespace(get_model_object=lambda name: unet))
    assert (levels.fine, levels.coarse) == (fine, coarse)
    assert set(levels.blocks_at(fine)) == fine_blocks
    assert set(levels.blocks_at(coarse)) == coarse_blocks
