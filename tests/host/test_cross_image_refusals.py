"""What Cross-Image Attention refuses, and what it warns of."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend, changed, euler


class TestRefusals:
    """One sentence each, before anything expensive; the next run is fine."""

    def test_no_appearance(self, model) -> None:
        with pytest.raises(ValueError, match="No appearance is connected"):
            attend(model, [])

    def test_a_structure_of_another_size(self, model, structure, appearance) -> None:
        """Before the first step, with the input named; the next run is fine."""
        counted = model.clone()
        counter = world.count_evaluations(counted)
        transferred = attend(counted, [appearance], structure)
        with pytest.raises(ValueError, match="8x8 and the inversion connected to structure is 16x16"):
            world.sample(transferred, structure, latent=torch.zeros(1, 4, 8, 8), sampler=euler())
        assert counter.samples == 0
        assert not world.runs_of(transferred)
        world.sample(transferred, structure)

    def test_another_model(self, model, structure, appearance) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import Appearance

        foreign = Appearance(
            changed(appearance, fingerprint={"architecture": "other", "weights": "", "latent_format": "SD15"})
        )
        with pytest.raises(ValueError, match="another kind of model"):
            attend(model, [foreign], structure)

    def test_another_checkpoint_of_the_family_is_a_warning(self, structure, appearance, caplog) -> None:
        attend(world.small_model(seed=1), [appearance], structure)
        assert "another checkpoint" in caplog.text

    def test_images_that_do_not_pair_up(self, model, structure) -> None:
        two = world.invert(model, world.latents(2, 2))
        with pytest.raises(ValueError, match="holds 2 images and the batch to sample 1"):
            world.sample(attend(model, [two], structure), structure)

    def test_a_sampler_that_jumps_cannot_replay(self, model, structure, appearance) -> None:
        import comfy.samplers

        for name in ("heun", "dpm_2"):
            transferred = attend(model, [appearance], structure, replayed=True)
            with pytest.raises(ValueError, match="visits every level once"):
                world.sample(transferred, structure, sampler=comfy.samplers.sampler_object(name))

    def test_another_architecture(self, model, appearance) -> None:
        from appearance_transfer.host.models.unet import decoder_levels

        stranger = model.clone()
        stranger.add_object_patch("diffusion_model", torch.nn.Linear(1, 1))
        with pytest.raises(ValueError, match="SD1.x, SD2.x, SDXL"):
            decoder_levels(stranger)

    def test_a_window_that_never_opens_says_so(self, model, structure, appearance, caplog) -> None:

        silent = attend(model, [appearance], window=world.window(50, 60))
        world.sample(silent, structure)
        assert "has no effect" in caplog.text
