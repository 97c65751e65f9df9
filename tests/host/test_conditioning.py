"""CONDITIONING and back: whatever a text consists of, by kind, as the networks that ComfyUI knows take it."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

OF_TRANSFORMERS = {
    "Flux": {"pooled_output": torch.randn(1, 8), "guidance": 3.5},
    "Flux without guidance": {"guidance": None},
    "Flux Kontext": {
        "guidance": 2.5,
        "reference_latents": [torch.randn(1, 16, 8, 8), torch.randn(1, 16, 4, 6)],
        "reference_latents_method": "offset",
    },
    "Flux Redux": {"attention_mask": torch.ones(1, 9, 9), "attention_mask_img_shape": (27, 27)},
    "Qwen-Image": {"attention_mask": torch.tensor([[1, 1, 0]])},
    "Lumina 2": {"attention_mask": torch.tensor([[True, False]])},
    "Z-Image Omni": {
        "reference_latents": [torch.randn(1, 16, 8, 8)],
        "reference_latents_text_embeds": [torch.randn(1, 3, 8)],
    },
    "HunyuanImage": {
        "guidance": 6.0,
        "attention_mask": torch.tensor([[1, 0]]),
        "conditioning_byt5small": torch.randn(1, 4, 8),
    },
    "OmniGen2": {"attention_mask": torch.tensor([[1, 1]]), "reference_latents": [torch.randn(1, 16, 8, 8)]},
    "Wan from an image": {"concat_latent_image": torch.randn(1, 16, 1, 8, 8), "concat_mask": torch.ones(1, 1, 1, 8, 8)},
    "Cosmos": {"frame_rate": 24, "time_dim_concat": torch.randn(1, 16, 2, 8, 8)},
    "HiDream": {"pooled_output": torch.randn(1, 8), "conditioning_llama3": torch.randn(1, 4, 7, 8)},
    "HunyuanDiT": {"conditioning_mt5xl": torch.randn(1, 5, 8), "attention_mask_mt5xl": torch.ones(1, 5), "width": 640},
    "Anima": {"t5xxl_ids": torch.tensor([4, 9, 1]), "t5xxl_weights": torch.tensor([1.0, 1.2, 1.0])},
    "PixArt": {"aspect_ratio": 1.5, "height": 512},
    "a text with nothing beside": {"pooled_output": None},
}


@pytest.mark.parametrize("family", OF_TRANSFORMERS)
def test_everything_comes_out_as_it_went_in(host, family, tmp_path) -> None:
    from dataclasses import replace

    from appearance_transfer.host.models.conditioning import check_packed, pack, unpack
    from appearance_transfer.inversion import storage

    extras = OF_TRANSFORMERS[family]
    packed = pack([[torch.randn(1, 7, 8), extras]], world.prompt(2))
    check_packed(packed, images=3)
    three = replace(world.invert(world.small_model(), world.latents(3, 3)), conditioning=packed)
    storage.save(three, tmp_path / "text.safetensors")
    for kept in (three, storage.load(tmp_path / "text.safetensors"), three.image(2)):
        [[_, found]] = unpack(kept.conditioning, "positive")
        assert found.keys() == extras.keys()
        for name, value in extras.items():
            assert same(found[name], value), name


def test_what_a_text_consists_of_tells_texts_apart(host) -> None:
    from appearance_transfer.host.models.conditioning import same_text

    text = world.prompt(1)[0][0]
    plain = [[text, {"width": 64}]]
    assert same_text(plain, [[text.clone(), {"width": 64, "control": object(), "strength": 0.5}]])
    assert not same_text(plain, [[text, {"width": 65}]])
    assert not same_text(plain, [[text, {}]])
    assert not same_text(plain, [[world.prompt(3)[0][0], {"width": 64}]])


def same(one, other) -> bool:
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return type(one) is type(other) and one == other
