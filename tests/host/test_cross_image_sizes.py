"""Cross-Image Attention on batches and on images of other sizes."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import appearance_guider, attend, first_edited_attention, resized


def test_a_batch_is_its_images(model, appearance) -> None:
    """Several structures under one appearance, and pairs of structure and appearance, equal the single runs."""
    images, appearances = world.latents(5, 2), world.latents(6, 2)
    both, both_appearances = world.invert(model, images), world.invert(model, appearances, seed=3)
    one_appearance = world.sample(attend(model, [appearance], both), both)
    pairs = world.sample(attend(model, [both_appearances], both), both)
    for i in range(2):
        single = both.image(i)
        assert (
            world.relative(world.sample(attend(model, [appearance], single), single), one_appearance[i : i + 1]) < 1e-4
        )
        alone = world.sample(attend(model, [both_appearances.image(i)], single), single)
        assert world.relative(alone, pairs[i : i + 1]) < 1e-4


def test_prompts_apart_are_prompts_together(model, structure, appearance, monkeypatch) -> None:
    """Where memory is short ComfyUI runs one prompt after the other."""
    import comfy.model_patcher

    def guided():
        transferred = attend(model, [appearance], structure)
        return world.sample(transferred, structure, guider=appearance_guider(transferred, text_scale=3.0))

    together = guided()
    monkeypatch.setattr(comfy.model_patcher.ModelPatcher, "get_free_memory", lambda self, device: 0)
    assert world.relative(guided(), together) < 1e-4


def test_sides_that_do_not_halve(model) -> None:
    """13 x 11 positions, 7 x 6 on the coarser level: an image as its own appearance comes back, another one does
    not.
    """
    structure, other = (world.invert(model, world.latents(seed)[..., :13, :11]) for seed in (1, 2))
    plain = world.sample(model, structure)
    assert world.relative(world.sample(attend(model, [structure], contrast=1.0), structure), plain) < 1e-4
    assert world.relative(world.sample(attend(model, [other]), structure), plain) > 0.05


class TestSizes:
    """An appearance of another size and shape; 8x32 beside 16x16 has as many tokens, the others more or less."""

    @pytest.mark.parametrize("size", [(16, 8), (8, 32), (13, 11), (32, 32)])
    def test_it_changes_the_image(self, model, structure, size) -> None:
        tall = world.invert(model, resized(world.latents(2), size))
        out = world.sample(attend(model, [tall], structure), structure)
        assert out.shape == (1, 4, 16, 16)
        assert world.relative(out, world.sample(model, structure)) > 0.05

    def test_weights_and_masks_are_of_the_output(self, model, structure) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import Appearance

        tall = world.invert(model, resized(world.latents(2), (16, 8)))
        mask = torch.zeros(1, 16, 16)
        mask[:, :, :8] = 1
        plain = first_edited_attention(model, structure)
        half = first_edited_attention(attend(model, [Appearance(tall, mask=mask)]), structure)
        assert torch.equal(half[:, :, 4:], plain[:, :, 4:])
        assert (half[:, :, :4] != plain[:, :, :4]).any(-1).all()

    def test_a_batch_of_another_size(self, model) -> None:
        both = world.invert(model, world.latents(5, 2))
        appearances = world.invert(model, resized(world.latents(6, 2), (8, 16)), seed=3)
        pairs = world.sample(attend(model, [appearances], both), both)
        for i in range(2):
            alone = world.sample(attend(model, [appearances.image(i)], both.image(i)), both.image(i))
            assert world.relative(alone, pairs[i : i + 1]) < 1e-4

    def test_a_conditioning_for_an_area_is_left_alone(self, model, structure, appearance, caplog) -> None:
        """It runs on a part of the latent, for which the masks were not made."""
        area = [[world.prompt(1)[0][0], {"area": (8, 8, 4, 4)}]]
        out, plain = (
            world.sample(of, structure, guider=world.stock_guider(of, positive=area, negative=area))
            for of in (attend(model, [appearance]), model)
        )
        assert torch.equal(out, plain)
        assert "A conditioning for an area" in caplog.text
