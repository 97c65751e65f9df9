"""Null-Text Guider and the nodes: what is sampled is what is reported."""

import dataclasses

import pytest
import torch
from appearance_transfer.developer.client import GraphError
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.null_texts import apart, interrupted, invert, plain, reconstruct


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return world.small_model()


@pytest.fixture(scope="module")
def inverted(model):
    return invert(model)


class TestGuider:
    def guider(self, model, inversion, cfg=7.5):
        from appearance_transfer.host.inversion.null_text_guider import NullTextGuider

        return NullTextGuider(model, world.prompt(1), inversion, cfg)

    def test_every_evaluation_has_the_embedding_of_the_nearest_level(self, model, inverted) -> None:
        guider = self.guider(model, inverted)
        for i, sigma in enumerate(inverted.schedule.sigmas[:-1]):
            assert torch.equal(guider.embedding_at(sigma * 1.01), inverted.null_text[i])
        assert torch.equal(guider.embedding_at(0.0), inverted.null_text[-1])

    def test_it_samples_what_the_report_replays(self, model, inverted) -> None:
        sampled = world.sample(model, inverted, guider=self.guider(model, inverted))
        assert apart(sampled, reconstruct(model, inverted)) < 1e-4
        assert apart(sampled, world.sample(model, inverted, guider=self.guider(model, inverted, cfg=2.0))) > 0.01

    def test_guidance_1_leaves_the_embeddings_out(self, model, inverted) -> None:
        sampled = world.sample(model, inverted, guider=self.guider(model, inverted, cfg=1.0))
        assert torch.equal(sampled, world.sample(model, inverted))

    def test_a_part_of_the_levels_may_be_sampled(self, model, inverted) -> None:
        import comfy.samplers
        from appearance_transfer.host.models.schedules import sigmas_tensor

        late = sigmas_tensor(inverted.schedule.tail(2))
        world.sample(
            model, inverted, guider=self.guider(model, inverted), sampler=comfy.samplers.sampler_object("euler"),
            sigmas=late,
        )  # fmt: skip

    def test_other_levels_are_refused(self, model, inverted) -> None:
        sigmas = torch.tensor([9.0, 3.3, 0.0])
        with pytest.raises(ValueError, match="other noise levels"):
            world.sample(model, inverted, guider=self.guider(model, inverted), sigmas=sigmas)

    def test_another_number_of_images_is_refused(self, model) -> None:
        two = invert(model, world.latents(4, 2), updates=1)
        with pytest.raises(ValueError, match="of 2 image"):
            world.sample(model, two, guider=self.guider(model, two), latent=world.latents(3))

    def test_an_inversion_without_embeddings_is_refused(self, model, inverted) -> None:
        with pytest.raises(ValueError, match="DDIM inversion has no null-text embeddings"):
            self.guider(model, plain(inverted))

    def test_an_interrupted_inversion_is_refused(self, model) -> None:
        with pytest.raises(ValueError, match="1 of its 4 steps"):
            self.guider(model, interrupted(model, after=1))

    def test_another_kind_of_model_is_refused(self, model, inverted) -> None:
        other = dataclasses.replace(inverted, fingerprint={"architecture": "sdxl"})
        with pytest.raises(ValueError, match="another kind of model"):
            self.guider(model, other)


class TestNodes:
    """The two nodes in a graph of ComfyUI, on the pocket checkpoint."""

    @staticmethod
    def graph(**null_text) -> dict:
        def node(kind, **inputs):
            return {"class_type": kind, "inputs": inputs}

        ours = "AppearanceTransfer_"
        texts = {"positive": ["text", 0], "negative": ["empty", 0]}
        return {
            "checkpoint": node(f"{ours}LoadPocketCheckpoint", network=DEFAULT_NETWORK, precision="fp32"),
            "scene": node(f"{ours}PocketScene", seed=2, species="any", coat="any", view="any", size=128),
            "encode": node("VAEEncode", pixels=["scene", 0], vae=["checkpoint", 2]),
            "text": node("CLIPTextEncode", text="a photo of a horse", clip=["checkpoint", 1]),
            "empty": node("CLIPTextEncode", text="", clip=["checkpoint", 1]),
            "invert": node(
                f"{ours}NullTextInversion", model=["checkpoint", 0], latent=["encode", 0], text="", steps=4, cfg=7.5,
                keep_unfinished=True, updates=2, **texts, **null_text,
            ),
            "report": node(
                f"{ours}InversionReport", model=["checkpoint", 0], inversion=["invert", 0], vae=["checkpoint", 2]
            ),
            "guider": node(
                f"{ours}NullTextGuider", model=["checkpoint", 0], positive=["text", 0], inversion=["invert", 0],
                cfg=7.5,
            ),
            "resume": node(f"{ours}ResumeFromInversion", inversion=["invert", 0]),
            "sample": node(
                "SamplerCustomAdvanced", noise=["resume", 0], guider=["guider", 0], sampler=["resume", 1],
                sigmas=["resume", 2], latent_image=["resume", 3],
            ),
            "decode": node("VAEDecode", samples=["sample", 0], vae=["checkpoint", 2]),
        }  # fmt: skip

    def test_what_is_sampled_is_what_is_reported(self, host) -> None:
        run = host.run(
            self.graph(), image=("decode", 0), reported=("report", 0), report=("report", 2), curve=("invert", 1)
        )
        assert torch.allclose(run.image, run.reported, atol=2e-3)
        assert "null text for 4 of its steps" in run.report
        assert run.report.count(" in 2") == 4
        assert run.curve.shape == (1, 432, 768, 3)
        assert len(run.outcome.outputs["report"]["images"]) == 2
        assert "step 3: loss" in run.outcome.outputs["invert"]["text"][0]

    def test_a_canceled_run_goes_on_from_its_file(self, host, monkeypatch) -> None:
        import comfy.model_management
        from appearance_transfer.host.inversion import null_text as null_text_inverting
        from appearance_transfer.host.runtime.files import INVERSIONS

        def cancel(i: int, total: int, denoised: torch.Tensor) -> None:
            if i == 1:
                raise comfy.model_management.InterruptProcessingException

        host.forget()
        with monkeypatch.context() as patch:
            patch.setattr(null_text_inverting, "preview_callback", lambda model, steps: cancel)
            with pytest.raises(GraphError, match="interrupted"):
                host.run(self.graph(), inversion=("invert", 0))
        (name,) = [name for name in INVERSIONS.names() if name.startswith("unfinished_null_text")]
        load = {"class_type": "AppearanceTransfer_LoadInversion", "inputs": {"name": name}}
        going_on = self.graph(continue_from=["load", 0]) | {"load": load}
        finished = host.run(going_on, inversion=("invert", 0)).inversion
        whole = host.run(self.graph(), inversion=("invert", 0)).inversion
        assert torch.equal(finished.null_text, whole.null_text)
