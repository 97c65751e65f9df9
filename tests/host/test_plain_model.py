"""Nodes that look at an image as the network sees it refuse a MODEL with a transfer, and say what to connect."""

from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

LATENT = {"samples": world.latents(1)}
IMAGE = torch.zeros(1, 128, 128, 3)
TEXTS = {"positive": world.prompt(1), "negative": world.prompt(2)}


@pytest.fixture(scope="module")
def inversion(model):
    return world.invert(model, world.latents(1))


@pytest.fixture(scope="module", params=["Cross-Image Attention", "Semantic Rearrangement"])
def patched(request, model, inversion):
    """patched(strength): a clone with the transfer."""
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    def apply(strength: float):
        if request.param == "Cross-Image Attention":
            settings = world.transfer_settings(strength=strength)
            return transfer_appearance(model, [Appearance(inversion)], None, settings)
        settings = world.rearrangement_settings(strength=strength)
        return rearrange_appearance(model, [Appearance(inversion)], inversion, settings)

    return apply


def inputs_of(node: str, inversion) -> dict:
    """What the node is given beside the MODEL."""
    steps = {"latent": LATENT, "text": "", "steps": 4, "start_at_step": 0, **TEXTS}
    ddpm = {"cfg": 1.0, "seed": 1, "eta": 1.0, "last_noise": "auto", "levels_per_forward": 1}
    ddim = {"cfg": 1.0, "regularization": False, "pair_weight": 20.0, "kl_weight": 20.0, "rounds": 5, "seed": 1}
    null_text = {name: value for name, value in steps.items() if name != "start_at_step"}
    vae = SimpleNamespace(encode=lambda pixels: world.latents(1), decode=lambda latent: IMAGE, latent_dim=2)
    dift = {"positive": TEXTS["positive"], "feature_preset": "semantic", "seed": 1, "ensemble": 1, "vae": vae}
    noun = {"inversion": inversion, "clip": SimpleNamespace(tokenize=str.split), "prompt": "a horse", "at_percent": 0.1}
    return {
        "InvertImage": steps | ddpm,
        "InvertImageDDIM": steps | ddim | {"preset": "default", "solver": "auto"},
        "NullTextInversion": null_text | {"cfg": 3.0, "updates": 1, "keep_unfinished": False},
        "InversionReport": {"inversion": inversion, "vae": vae},
        "SelfSegmentation": noun | {"noun": "horse", "other_nouns": "", "clusters": 2, "factor": 1.4},
        "WordAttentionMap": noun | {"word": "horse", "threshold": 0.3, "downscale": "2", "accumulate": True},
        "ShowAttentionMatches": {"structure": inversion, "appearance": inversion, "image": IMAGE, "at_percent": 0.1},
        "MatchReferences": {"structure": inversion, "appearance": inversion, "method": "field"},
        "DIFTFeatures": dift
        | {
            "timestep": 1,
            "up_block": 1,
            "block": 0,
            "block_facet": "tokens",
            "posterior": "mean",
            "images_per_forward": 1,
            "image": IMAGE,
        },
        "MirrorToMatch": dift | {"structure": IMAGE, "appearance": IMAGE},
    }[node]


@pytest.mark.parametrize(
    "node",
    [
        "InvertImage", "InvertImageDDIM", "NullTextInversion", "InversionReport", "SelfSegmentation",
        "WordAttentionMap", "ShowAttentionMatches", "DIFTFeatures", "MirrorToMatch", "MatchReferences",
    ],
)  # fmt: skip
def test_a_model_with_a_transfer_is_refused_before_it_runs(host, patched, inversion, node, monkeypatch) -> None:
    from appearance_transfer.host.matching import segmentation

    monkeypatch.setattr(segmentation, "columns_in", lambda *args: [1])
    carrying = patched(1.0)
    counter = world.count_evaluations(carrying)
    inputs = inputs_of(node, inversion)
    with pytest.raises(ValueError, match="Connect to model what goes into that node"), torch.inference_mode():
        host.nodes[f"AppearanceTransfer_{node}"].execute(model=carrying, **inputs)
    assert counter.samples == 0


def test_a_transfer_of_no_strength_is_none(patched, model, inversion) -> None:
    again = world.invert(patched(0.0), world.latents(1))
    assert torch.equal(again.noise_maps, inversion.noise_maps)
