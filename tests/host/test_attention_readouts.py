"""What is read off a model's attention: matches of the small network, and masks where the text is known."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


def test_an_image_is_painted_with_pieces_of_the_appearance(model) -> None:
    from appearance_transfer.host.matching.attention_matches import paint_with_matches

    structure = world.invert(model, world.latents(1))
    appearance = world.invert(model, world.latents(2))
    colors = torch.linspace(0, 1, 256).reshape(1, 16, 16, 1).expand(-1, -1, -1, 3)  # each piece its own gray
    with torch.inference_mode():
        painted, decided = paint_with_matches(model, structure, appearance, colors, at_percent=0.57)
    assert painted.shape == (1, 16, 16, 3)
    assert decided.shape == (1, 16, 16)
    assert torch.isin(painted.unique(), colors.unique()).all()
    assert 0 <= decided.min() <= decided.max() <= 1


def test_matches_are_those_of_the_full_attention_map(model) -> None:
    """Against ComfyUI's own numbers: the map captured for one image looking at itself."""
    from appearance_transfer.attention.match_map import attended_positions
    from appearance_transfer.host.matching.capture import capture_maps, capture_tokens

    inversion = world.invert(model, world.latents(1, 2))
    with torch.inference_mode():
        tokens = capture_tokens(model, inversion, 3)
        maps = capture_maps(model, inversion, 3)
    index, weight = attended_positions(tokens.q, tokens.k)
    expected, position = maps.self_attention.max(-1)
    assert torch.equal(index, position)
    assert world.relative(weight, expected) < 1e-5
    assert maps.self_grid == (16, 16)
    assert maps.cross_grid == (8, 8)
    assert maps.cross_attention.shape == (2, 64, 77)
    assert world.relative(maps.cross_attention.sum(-1), torch.ones(2, 64)) < 1e-5


def test_replacements_of_single_transformers_do_not_stand_before_ours(model) -> None:
    """ComfyUI asks for those first; nodes for SDXL set them, IPAdapter among them."""
    from appearance_transfer.host.matching.capture import capture_maps, capture_text_maps, capture_tokens
    from appearance_transfer.host.models.unet_attention import plain_attention

    inversion = world.invert(model, world.latents(1))
    patched = model.clone()
    for block in range(6):
        patched.set_model_attn1_replace(plain_attention, "output", block, 0)
        patched.set_model_attn2_replace(plain_attention, "output", block, 0)
    with torch.inference_mode():
        alone, found = (capture_maps(of, inversion, 3) for of in (model, patched))
        assert torch.equal(found.self_attention, alone.self_attention)
        assert torch.equal(found.cross_attention, alone.cross_attention)
        words, _ = capture_text_maps(patched, inversion, [3], 2)
        assert torch.equal(words, capture_text_maps(model, inversion, [3], 2)[0])
        assert torch.equal(capture_tokens(patched, inversion, 3).q, capture_tokens(model, inversion, 3).q)


def test_an_appearance_of_another_size_and_another_number(model) -> None:
    """Half as wide: the output has the structure's shape, and every piece of it is one of the appearance's 8 x 16."""
    from appearance_transfer.host.matching.attention_matches import paint_with_matches

    structure = world.invert(model, world.latents(1))
    narrow = world.invert(model, world.latents(2)[..., :8])
    image = torch.rand(1, 128, 64, 3, generator=torch.Generator().manual_seed(3))
    painted, decided = paint_with_matches(model, structure, narrow, image, at_percent=0.57)
    assert painted.shape == (1, 128, 128, 3) and decided.shape == (1, 16, 16)
    pieces = torch.nn.functional.interpolate(image.movedim(-1, 1), size=(16, 8), mode="area").flatten(2)[0].T
    assert (painted[0, ::8, ::8].reshape(-1, 1, 3) - pieces).abs().amax(2).amin(1).max() < 1e-6
    with pytest.raises(ValueError, match="as many appearances as structures"):
        paint_with_matches(model, structure, world.invert(model, world.latents(2, 2)), image, at_percent=0.57)
    with pytest.raises(ValueError, match="3 appearance images for 1 structure"):
        paint_with_matches(model, structure, structure, torch.zeros(3, 16, 16, 3), at_percent=0.57)
