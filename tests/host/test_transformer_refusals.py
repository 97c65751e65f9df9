"""Nodes that read a U-Net's layers refuse a transformer in a sentence, before it runs; what is left of them works."""

from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.small_world import count_evaluations
from appearance_transfer.tests.host.transformer_family import Family

IMAGE = torch.zeros(1, 128, 128, 3)
CLIP = SimpleNamespace(tokenize=str.split)
OUT_OF_REACH = (
    "NullTextInversion", "CrossAttentionGuider", "DIFTFeatures", "MirrorToMatch", "FindObject", "SelfSegmentation",
    "WordAttentionMap", "ShowAttentionMatches", "MatchReferences",
)  # fmt: skip


@pytest.fixture(scope="module", params=["Flux.1", "SD3", "Qwen-Image"])
def family(host, request):
    return Family(request.param)


def inputs_of(node: str, family, inversion) -> dict:
    """What the node is given beside the MODEL."""
    latents = family.tiny.image(1)
    vae = SimpleNamespace(encode=lambda pixels: latents, decode=lambda latent: IMAGE, latent_dim=2, not_video=True)
    texts = {"positive": family.tiny.prompt(1), "negative": family.tiny.prompt(2)}
    dift = {"positive": texts["positive"], "feature_preset": "semantic", "seed": 1, "ensemble": 1, "vae": vae}
    noun = {"inversion": inversion, "clip": CLIP, "prompt": "a horse", "at_percent": 0.1}
    return {
        "NullTextInversion": texts
        | {"latent": {"samples": latents}, "text": "", "steps": 4, "cfg": 3.0, "updates": 1, "keep_unfinished": False},
        "CrossAttentionGuider": {
            "positive": texts["positive"], "edited": texts["negative"], "cfg": 2.0, "amount": 0.1,
            "reference_maps": "recompute", "downscales": "all", "preset": "default",
        },
        "DIFTFeatures": dift
        | {"timestep": 1, "up_block": 1, "posterior": "mean", "images_per_forward": 1, "image": IMAGE},
        "MirrorToMatch": dift | {"structure": IMAGE, "appearance": IMAGE},
        "FindObject": {
            "image": IMAGE, "object_points": "", "background_points": "", "seed": 1, "vae": vae,
            "positive": texts["positive"],
        },
        "SelfSegmentation": noun | {"noun": "horse", "other_nouns": "", "clusters": 2, "factor": 1.4},
        "WordAttentionMap": noun | {"word": "horse", "threshold": 0.3, "downscale": "2", "accumulate": True},
        "ShowAttentionMatches": {"structure": inversion, "appearance": inversion, "image": IMAGE, "at_percent": 0.1},
        "MatchReferences": {"structure": inversion, "appearance": inversion, "method": "field"},
    }[node]  # fmt: skip


@pytest.mark.parametrize("node", OUT_OF_REACH)
def test_a_transformer_is_refused_before_it_runs(host, family, node) -> None:
    """The sentence says with which checkpoints the node works."""
    model = family.model.clone()
    counter = count_evaluations(model)
    inputs = inputs_of(node, family, family.structure)
    execute = host.nodes[f"AppearanceTransfer_{node}"].execute
    with pytest.raises(ValueError, match=r"SD1\.x, SD2\.x, SDXL") as refusal, torch.inference_mode():
        execute(model=model, **inputs)
    assert len(str(refusal.value)) < 300
    assert counter.samples == 0


class TestLatentDeviation:
    """Its matches are DIFT's; without any, and with connected ones, it works on every model."""

    def deviated(self, family, matching: str, delta: float, structure) -> torch.Tensor:
        from appearance_transfer.attention.windows import Window
        from appearance_transfer.guidance.deviation import DeviationParams
        from appearance_transfer.host.runtime.latents import in_vae_scale
        from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings
        from appearance_transfer.tests.host.small_world import sample, stock_guider

        settings = DeviationSettings(DeviationParams(delta=delta), Window(0.0, 1.0), matching)
        guider = stock_guider(family.model, positive=family.tiny.prompt(1), negative=family.tiny.prompt(2))
        sampler = DeviationSampler(structure, family.inverted(2), settings)
        latent = in_vae_scale(structure.start, family.model.get_model_object("latent_format"))
        samples = sample(family.model, structure, guider=guider, latent=latent, sampler=sampler)
        return samples[:, :, 0] if samples.ndim == 5 else samples

    @pytest.mark.parametrize("matching", ["progressive", "initial"])
    def test_what_has_to_be_matched_is_refused_before_the_first_step(self, family, matching) -> None:
        with pytest.raises(ValueError, match=r"DIFT features of a U-Net \(SD1\.x.*set matching to none"):
            self.deviated(family, matching, 0.5, family.inverted(1))

    def test_without_matches_it_moves_towards_the_appearance(self, family) -> None:
        structure = family.inverted(1)
        still, moved = (self.deviated(family, "none", delta, structure) for delta in (0.0, 0.5))
        image = family.tiny.image(1)
        assert noted(float((still - image).abs().max() / image.abs().max())) <= 1e-5
        assert noted(float((moved - image).abs().max() / image.abs().max())) > 1e-3


def test_an_inversion_without_embeddings_has_no_null_text_guider(host, family) -> None:
    node = host.nodes["AppearanceTransfer_NullTextGuider"]
    with pytest.raises(ValueError, match="Null-Text Inversion"):
        node.execute(model=family.model, positive=family.tiny.prompt(1), inversion=family.inverted(1), cfg=3.0)


def test_what_cannot_be_found_is_said(family, caplog) -> None:
    """Cross-Image Attention finds objects and matches on U-Nets; elsewhere it says what to connect, and transfers."""
    structure = family.inverted(1)
    transferred = family.transferred([family.appearance], structure=structure, find=True)
    with caplog.at_level("INFO"):
        family.predictions(transferred, structure.trajectory)
    assert "Connect masks and matches to Appearance Options" in caplog.text
