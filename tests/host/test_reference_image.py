"""An image that is read is noised, not inverted: the same trajectory, no evaluations, and no noise maps to replay."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


def noised(model, latent, **options):
    from appearance_transfer.host.inversion.reference import noised_reference
    from appearance_transfer.host.models.schedules import schedule_of

    schedule = schedule_of(model, steps=world.STEPS, start_at=world.START)
    return noised_reference(model, latent, world.prompt(1), world.prompt(2), schedule, **options)


def test_it_is_the_trajectory_of_the_inversion_bit_by_bit_without_evaluations(model) -> None:
    latent = world.latents(3, 2)
    inverted = world.invert(model, latent, seed=7)
    counted = model.clone()
    counter = world.count_evaluations(counted)
    reference = noised(counted, latent, seed=7)
    assert counter.samples == 0
    assert torch.equal(reference.trajectory, inverted.trajectory)
    assert reference.noise_maps.numel() == 0
    assert reference.fingerprint == inverted.fingerprint


@pytest.mark.parametrize("kind", ["cross-image", "rearrangement", "AdaIN"])
def test_a_transfer_from_it_is_that_from_the_inversion_bit_by_bit(model, kind) -> None:
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    structure = world.invert(model, world.latents(1))
    outputs = []
    for appearance in (world.invert(model, world.latents(2), seed=5), noised(model, world.latents(2), seed=5)):
        patched, between = model, None
        if kind == "AdaIN":
            between = AdaINOperation(appearance, None, None, world.window(2))
        elif kind == "cross-image":
            patched = transfer_appearance(model, [Appearance(appearance)], structure, world.transfer_settings())
        else:
            patched = rearrange_appearance(model, [Appearance(appearance)], structure, world.rearrangement_settings())
        outputs.append(world.sample(patched, structure, between_steps=between))
    assert torch.equal(*outputs)
    assert not torch.equal(outputs[0], world.sample(model, structure))


def test_what_needs_noise_maps_refuses_it(model) -> None:
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
    from appearance_transfer.host.transfer.noise_map_sampler import NoiseMapSampler
    from appearance_transfer.host.transfer.plan import Appearance

    reference = noised(model, world.latents(2))
    for use in (
        lambda: NoiseMapSampler(reference),
        lambda: reconstruct(model, reference),
        lambda: transfer_appearance(model, [Appearance(reference)], None, CrossImageSettings.reference_code()),
    ):
        with pytest.raises(ValueError, match="no noise maps to sample along"):
            use()


def test_it_is_saved_and_loaded_bit_by_bit(model, tmp_path) -> None:
    from appearance_transfer.inversion.storage import load, save

    reference = noised(model, world.latents(2), prompts=("a photo of a horse",))
    save(reference, tmp_path / "x.safetensors")
    loaded = load(tmp_path / "x.safetensors")
    assert torch.equal(loaded.trajectory, reference.trajectory)
    assert (loaded.method, loaded.prompts) == ("noised", ("a photo of a horse",))


class TestSubject:
    """Image and text, or latent and conditioning."""

    def subject(self, **changes):
        from appearance_transfer.host.inversion.subject import subject_of

        nothing = dict.fromkeys(("image", "vae", "latent", "clip", "positive", "negative"))
        return subject_of(**nothing | {"text": ""} | changes)

    @pytest.fixture(scope="class")
    def pocket(self, host):
        from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

        return load_pocket_checkpoint()

    def test_an_image_is_encoded_and_its_text_kept(self, pocket) -> None:
        _, clip, vae = pocket
        image = torch.rand(2, 64, 48, 3, generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            found = self.subject(image=image, vae=vae, clip=clip, text=" a photo of a horse ")
            assert torch.equal(found.latent, vae.encode(image))
            expected = clip.encode_from_tokens_scheduled(clip.tokenize("a photo of a horse"))
        assert found.prompts == ("a photo of a horse",)
        assert torch.equal(found.positive[0][0], expected[0][0])
        assert found.negative[0][0].shape == expected[0][0].shape

    def test_conditionings_go_before_texts(self) -> None:
        latent = {"samples": world.latents(1)}
        found = self.subject(latent=latent, positive=world.prompt(1), negative=world.prompt(2))
        assert found.prompts == ()
        assert torch.equal(found.latent, latent["samples"])
        assert torch.equal(found.positive[0][0], world.prompt(1)[0][0])
        worded = self.subject(latent=latent, positive=world.prompt(1), negative=world.prompt(2), text="a cow")
        assert worded.prompts == ("a cow",)

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({}, "There is no clip to encode the text"),
            ({"positive": [[torch.zeros(1, 77, 16), {}]]}, "There is no clip to encode an empty negative text"),
            ({"clip": object()}, "Connect either image and vae, or latent"),
            ({"clip": object(), "image": torch.zeros(1, 8, 8, 3)}, "without a VAE"),
        ],
    )
    def test_what_is_missing_is_named(self, host, changes, sentence) -> None:
        with pytest.raises(ValueError, match=sentence):
            self.subject(**changes)


def test_sample_from_inversion_is_resume_with_a_guider(model, host) -> None:
    """With a MODEL under the inversion's own text, with a GUIDER as that says; and without anything the image
    itself.
    """
    from appearance_transfer.host.transfer.sample_from_inversion import sample_from_inversion

    structure = world.invert(model, world.latents(1))
    with torch.inference_mode():
        own = sample_from_inversion(model, structure)
        guided = sample_from_inversion(world.stock_guider(model), structure)
        strong = sample_from_inversion(model, structure, cfg=3.0)
    assert torch.equal(own, guided)
    assert torch.equal(own, world.sample(model, structure))
    assert world.relative(own, world.latents(1)) < 1e-4
    assert not torch.equal(own, strong)
