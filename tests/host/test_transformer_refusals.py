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
    "NullTextInversion", "SelfSegmentation", "WordAttentionMap", "ShowAttentionMatches",
)  # fmt: skip


@pytest.fixture(scope="module", params=["Flux.1", "SD3", "Qwen-Image"])
def family(host, request):
    return Family(request.param)


def inputs_of(node: str, family, inversion) -> dict:
    """What the node is given beside the MODEL."""
    latents = family.tiny.image(1)
    texts = {"positive": family.tiny.prompt(1), "negative": family.tiny.prompt(2)}
    noun = {"inversion": inversion, "clip": CLIP, "prompt": "a horse", "at_percent": 0.1}
    return {
        "NullTextInversion": texts
        | {"latent": {"samples": latents}, "text": "", "steps": 4, "cfg": 3.0, "updates": 1, "keep_unfinished": False},
        "SelfSegmentation": noun | {"noun": "horse", "other_nouns": "", "clusters": 2, "factor": 1.4},
        "WordAttentionMap": noun | {"word": "horse", "threshold": 0.3, "downscale": "2", "accumulate": True},
        "ShowAttentionMatches": {"structure": inversion, "appearance": inversion, "image": IMAGE, "at_percent": 0.1},
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
    """The paper's matches are DIFT's; without any, and with found or connected ones, it works on every model."""

    @pytest.mark.parametrize("matching", ["progressive", "initial"])
    def test_what_has_to_be_matched_is_refused_before_the_first_step(self, family, matching) -> None:
        with pytest.raises(ValueError, match=r"DIFT features of a U-Net \(SD1\.x.*set matching to found"):
            family.deviated(family.inverted(1), family.inverted(2), matching=matching)

    def test_without_matches_it_moves_towards_the_appearance(self, family) -> None:
        moved, image = family.deviated(family.inverted(1), family.inverted(2)), family.tiny.image(1)
        assert noted(float((moved - image).abs().max() / image.abs().max())) > 1e-3


def test_an_inversion_without_embeddings_has_no_null_text_guider(host, family) -> None:
    node = host.nodes["AppearanceTransfer_NullTextGuider"]
    with pytest.raises(ValueError, match="Null-Text Inversion"):
        node.execute(model=family.model, positive=family.tiny.prompt(1), inversion=family.inverted(1), cfg=3.0)
