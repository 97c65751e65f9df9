"""Inversion and replay on tiny random transformers of every family, through the nodes and through a file."""

import logging
from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.tiny_transformers import TINY

STEPS = 5


@pytest.fixture(scope="module", params=TINY)
def tiny(host, request):
    return TINY[request.param]


@pytest.fixture(scope="module")
def model(tiny):
    return tiny.model()


@pytest.fixture(scope="module")
def inversion(tiny, model):
    return invert(tiny, model, tiny.image(1))


def invert(tiny, model, latent, *, cfg=2.0, positive=None, **options):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm
    from appearance_transfer.host.models.schedules import schedule_of

    schedule = schedule_of(model, steps=STEPS, start_at=1)
    texts = positive or tiny.prompt(1), tiny.prompt(2, tokens=9)  # of unequal length: two forwards with guidance
    with torch.inference_mode():
        return invert_with_ddpm(model, latent, *texts, schedule, guidance=cfg, **options)


def relative(a, b) -> float:
    return noted(float((a - b).abs().max() / b.abs().max()))


def flat(samples):
    return samples[:, :, 0] if samples.ndim == 5 else samples


def test_replay_returns_the_image(tiny, model, inversion) -> None:
    """The last noise map is kept without being asked for."""
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct
    from appearance_transfer.host.transfer.sample_from_inversion import sample_from_inversion

    with torch.inference_mode():
        sampled, replayed = sample_from_inversion(model, inversion, cfg=2.0), reconstruct(model, inversion)
    assert sampled.ndim == (5 if model.get_model_object("latent_format").latent_dimensions == 3 else 4)
    assert relative(flat(sampled), tiny.image(1)) <= 1e-5
    assert relative(flat(replayed), tiny.image(1)) <= 1e-5


def test_a_zeroed_last_noise_map_loses_detail(tiny, model, inversion) -> None:
    zeroed = invert(tiny, model, tiny.image(1), keep_last_noise=False)
    assert torch.equal(zeroed.noise_maps[:-1], inversion.noise_maps[:-1])
    assert inversion.noise_maps[-1].any() and not zeroed.noise_maps[-1].any()


def test_a_reference_is_the_same_image_without_a_forward(tiny, model, inversion) -> None:
    from appearance_transfer.host.inversion.reference import noised_reference

    with torch.inference_mode():
        reference = noised_reference(model, tiny.image(1), tiny.prompt(1), tiny.prompt(2), inversion.schedule)
    assert torch.equal(reference.trajectory, inversion.trajectory)
    assert reference.fingerprint == inversion.fingerprint


def test_a_file_holds_the_inversion(tiny, model, inversion, tmp_path) -> None:
    from appearance_transfer.host.transfer.sample_from_inversion import sample_from_inversion
    from appearance_transfer.inversion.storage import load, save

    save(inversion, tmp_path / "inversion.safetensors")
    loaded = load(tmp_path / "inversion.safetensors")
    with torch.inference_mode():
        expected, found = (sample_from_inversion(model, one, cfg=2.0) for one in (inversion, loaded))
    assert torch.equal(found, expected)


def test_several_levels_in_one_forward_and_a_batch(tiny, model, inversion) -> None:
    both = torch.cat([tiny.image(1), tiny.image(3)])
    together = invert(tiny, model, both, levels_per_forward=3, cfg=1.0)
    apart = invert(tiny, model, both, cfg=1.0)
    assert together.images == 2
    assert relative(together.noise_maps, apart.noise_maps) <= 2e-3  # a map is a difference divided by a small number


class TestWithoutNoiseMaps:
    def invert(self, tiny, model, steps: int, **options):
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
        from appearance_transfer.host.models.schedules import schedule_of

        with torch.inference_mode():
            texts = tiny.prompt(1), tiny.prompt(2, tokens=9)
            return invert_with_ddim(model, tiny.image(1), *texts, schedule_of(model, steps=steps), **options)

    def test_uni_inv_comes_back_nearer_than_ddim_also_from_a_file(self, tiny, model, tmp_path) -> None:
        """It is what a flow model is inverted by where nothing is said."""
        from appearance_transfer.host.transfer.sample_from_inversion import sample_from_inversion
        from appearance_transfer.inversion.storage import load, save

        ours, ddim = (self.invert(tiny, model, 10, **options) for options in ({}, {"solver": "ddim"}))
        assert (ours.method, ddim.method) == ("uni-inv", "ddim")
        save(ours, tmp_path / "inversion.safetensors")
        with torch.inference_mode():
            found, again, plain = (
                flat(sample_from_inversion(model, one))
                for one in (ours, load(tmp_path / "inversion.safetensors"), ddim)
            )
        assert torch.equal(again, found)
        assert relative(found, tiny.image(1)) < relative(plain, tiny.image(1))

    def test_four_steps_with_guidance_and_regularization(self, tiny, model) -> None:
        from appearance_transfer.inversion.regularize import Regularization

        plain, moved = (
            self.invert(tiny, model, 4, guidance=2.0, regularization=one) for one in (None, Regularization())
        )
        assert plain.steps == 4
        assert not torch.equal(moved.start, plain.start)


def test_weights_are_told_apart(tiny, inversion) -> None:
    from appearance_transfer.host.models.fingerprint import check_model, fingerprint

    assert inversion.fingerprint["weights"] != "unknown"
    assert check_model(inversion.fingerprint, tiny.model())
    assert not check_model(inversion.fingerprint, tiny.model(seed=1))
    other = next(one for name, one in TINY.items() if one.base not in (tiny.base, "FluxSchnell", "Flux"))
    assert fingerprint(other.model())["architecture"] != inversion.fingerprint["architecture"]


def test_other_noise_levels_are_named(tiny, model, inversion) -> None:
    import comfy.model_sampling

    class Shifted(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    from appearance_transfer.host.models.fingerprint import check_model

    sampling = Shifted(model.model.model_config)
    sampling.set_parameters(shift=20.0)
    shifted = model.clone()
    shifted.add_object_patch("model_sampling", sampling)
    with pytest.raises(ValueError, match=r"(other noise levels|another kind of model)"):
        check_model(inversion.fingerprint, shifted)


class TestAnAxisOfFrames:
    @pytest.fixture(scope="class")
    def tiny(self, host):
        return TINY["Qwen-Image"]

    @pytest.fixture(scope="class")
    def model(self, tiny):
        return tiny.model()

    def test_one_frame_is_an_image(self, tiny, model) -> None:
        framed = invert(tiny, model, tiny.image(1)[:, :, None])
        assert torch.equal(framed.noise_maps, invert(tiny, model, tiny.image(1)).noise_maps)

    def test_a_video_is_refused(self, tiny, model) -> None:
        with pytest.raises(ValueError, match="encode one image at a time"):
            invert(tiny, model, tiny.image(1)[:, :, None].repeat(1, 1, 2, 1, 1))

    def test_a_video_autoencoder_is_given_one_image_at_a_time(self, host) -> None:
        from appearance_transfer.host.runtime.encoding import image_or_latent

        seen = []

        def encode(images):
            seen.append(len(images))
            return images.mean((1, 2), keepdim=True).movedim(-1, 1)[:, :, None]

        vae = SimpleNamespace(encode=encode, latent_dim=3, not_video=False)
        images = torch.rand(3, 16, 16, 3)
        latents, _ = image_or_latent(images, vae, None, samples=0, seed=0)
        assert seen == [1, 1, 1]
        assert latents.shape == (3, 3, 1, 1, 1)


def mask_of(tokens: int, hidden: int) -> torch.Tensor:
    mask = torch.ones(1, tokens, dtype=torch.int64)
    mask[:, tokens - hidden :] = 0
    return mask


def framed(tiny, seed: int) -> torch.Tensor:
    return tiny.image(seed)[:, :, None]


KINDS = {
    "SD3: pooled text": ("SD3", lambda tiny: {"pooled_output": torch.ones(1, 32)}),
    "Flux.1: guidance": ("Flux.1", lambda tiny: {"guidance": 1.5}),
    "Flux.1: no guidance": ("Flux.1", lambda tiny: {"guidance": None}),
    "Flux.1: reference latents and method": (
        "Flux.1", lambda tiny: {"reference_latents": [tiny.image(5)], "reference_latents_method": "offset"},
    ),
    "Flux.2: two reference latents": (
        "Flux.2", lambda tiny: {"reference_latents": [tiny.image(5), tiny.image(6, size=(4, 6))]},
    ),
    "Chroma: guidance": ("Chroma", lambda tiny: {"guidance": 2.0}),
    "HunyuanImage: mask": ("HunyuanImage", lambda tiny: {"attention_mask": mask_of(12, 3)}),
    "Qwen-Image: mask and reference latents": (
        "Qwen-Image", lambda tiny: {"attention_mask": mask_of(12, 3), "reference_latents": [framed(tiny, 5)]},
    ),
    "Krea 2: reference latents and method": (
        "Krea 2", lambda tiny: {"reference_latents": [framed(tiny, 5)], "reference_latents_method": "index"},
    ),
    "Z-Image: reference latents": ("Z-Image", lambda tiny: {"reference_latents": [tiny.image(5)]}),
}  # fmt: skip
"""What a text holds beyond its embedding: family, entries."""


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_entry_is_kept(host, kind, tmp_path, caplog) -> None:
    """It changes the noise maps, comes back from a file, and is replayed bit for bit, without a warning."""
    from appearance_transfer.host.transfer.sample_from_inversion import sample_from_inversion
    from appearance_transfer.inversion.storage import load, save

    name, entries = KINDS[kind]
    tiny = TINY[name]
    model, more = tiny.model(), entries(tiny)
    kept = invert(tiny, model, tiny.image(1), positive=tiny.prompt(1, **more), cfg=1.0)
    plain = invert(tiny, model, tiny.image(1), cfg=1.0)
    assert relative(kept.noise_maps, plain.noise_maps) > 1e-3
    save(kept, tmp_path / "inversion.safetensors")
    loaded = load(tmp_path / "inversion.safetensors")
    assert loaded.conditioning.keys() >= {f"positive.{entry}" for entry in more}
    with torch.inference_mode(), caplog.at_level(logging.WARNING):
        sampled, again = (sample_from_inversion(model, one) for one in (kept, loaded))
    assert torch.equal(again, sampled)
    assert relative(flat(sampled), tiny.image(1)) <= 1e-5
    assert not caplog.records


@pytest.mark.parametrize(
    ("entry", "value"),
    [("clip_vision_output", object()), ("unclip_conditioning", [{"strength": 1.0}]), ("model_conds", {"a": 1})],
)
def test_what_an_inversion_cannot_keep_is_refused_by_name(host, entry, value) -> None:
    tiny = TINY["Flux.1"]
    with pytest.raises(ValueError, match=f"entry '{entry}' of a kind that an inversion cannot keep"):
        invert(tiny, tiny.model(), tiny.image(1), positive=tiny.prompt(1, **{entry: value}))
