"""Edit directions with ComfyUI's text encoders: the same as CLIP Text Encode, for one encoder and for SDXL's two."""

import logging
from types import SimpleNamespace

import pytest
import torch


@pytest.fixture(scope="module")
def clip(host):
    """The pocket world's: one encoder, 64 wide."""
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

    return load_pocket_checkpoint()[1]


@pytest.fixture(scope="module")
def two_encoders(host):
    """The parts of SDXL's CLIP in small, with random weights: l is 16 wide, g is 24."""
    import comfy.sd
    from comfy.sdxl_clip import SDXLClipModel, SDXLTokenizer
    from comfy.supported_models_base import ClipTarget

    sizes = {"intermediate_size": 32, "num_attention_heads": 2, "num_hidden_layers": 3}
    options = {"clip_l_model_config": {"hidden_size": 16} | sizes, "clip_g_model_config": {"hidden_size": 24} | sizes}
    clip = comfy.sd.CLIP(ClipTarget(SDXLTokenizer, SDXLClipModel), model_options=options)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in clip.cond_stage_model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return clip


@pytest.fixture(params=["clip", "two_encoders"])
def any_clip(request):
    return request.getfixturevalue(request.param)


def stock(clip, sentence: str) -> list:
    """CLIP Text Encode, of a text without brackets."""
    with torch.inference_mode():
        return clip.encode_from_tokens_scheduled(clip.tokenize(sentence))


def means(clip, *banks):
    from appearance_transfer.host.editing.text_encoding import mean_encodings

    with torch.inference_mode():
        return mean_encodings(clip, *banks)


def direction(clip, source: str, target: str):
    from appearance_transfer.editing.direction import direction_between
    from appearance_transfer.host.editing.text_encoding import encoder_fingerprint

    return direction_between(*means(clip, [source], [target]), encoder=encoder_fingerprint(clip))


def test_a_mean_is_that_of_what_clip_text_encode_gives(any_clip) -> None:
    """70 sentences, so that there is more than one batch; absolute 1e-5."""
    positions = ("grass", "sand", "snow", "stone", "water", "mud", "straw")
    sentences = [f"{count} horses on {position}" for count in range(10) for position in positions]
    (mean,) = means(any_clip, sentences)
    singly = [stock(any_clip, sentence)[0] for sentence in sentences]
    expected = torch.cat([tokens for tokens, _ in singly]).mean(0, keepdim=True)
    pooled = torch.cat([extras["pooled_output"] for _, extras in singly]).mean(0, keepdim=True)
    torch.testing.assert_close(mean.tokens, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(mean.pooled, pooled, rtol=0, atol=1e-5)


def test_brackets_are_no_weights(any_clip) -> None:
    """In a prompt they are, unless they are escaped."""
    (found,) = means(any_clip, ["a (red horse:1.5)"])
    torch.testing.assert_close(found.tokens, stock(any_clip, r"a \(red horse:1.5\)")[0][0], rtol=0, atol=1e-5)
    assert not torch.allclose(found.tokens, stock(any_clip, "a (red horse:1.5)")[0][0], atol=1e-3)


def test_long_sentences_are_cut_and_it_is_said(any_clip, caplog) -> None:
    with caplog.at_level(logging.WARNING, "appearance_transfer"):
        (mean,) = means(any_clip, ["horse " * 100, "a horse"])
    assert "1 of 2 sentences" in caplog.text
    first_chunk = stock(any_clip, "horse " * 100)[0][0][:, :77]
    torch.testing.assert_close(mean.tokens, (first_chunk + stock(any_clip, "a horse")[0][0]) / 2, rtol=0, atol=1e-5)


def test_an_interrupted_encoding_leaves_nothing_behind(any_clip) -> None:
    import comfy.model_management
    from appearance_transfer.host.editing.text_encoding import mean_encodings

    comfy.model_management.interrupt_current_processing(True)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        mean_encodings(any_clip, ["a horse"])
    assert not comfy.model_management.processing_interrupted()
    means(any_clip, ["a horse"])
    assert not any(module._forward_hooks for module in any_clip.cond_stage_model.modules())


def test_strength_moves_a_prompt_and_zero_does_not(any_clip) -> None:
    from appearance_transfer.host.editing.text_encoding import apply_direction

    prompt, there = stock(any_clip, "a horse"), stock(any_clip, "a cow")
    to_cow = direction(any_clip, "a horse", "a cow")
    same, whole, half = (apply_direction(prompt, to_cow, strength)[0] for strength in (0.0, 1.0, 0.5))
    assert torch.equal(same[0], prompt[0][0])
    assert torch.equal(same[1]["pooled_output"], prompt[0][1]["pooled_output"])
    torch.testing.assert_close(whole[0], there[0][0], rtol=0, atol=1e-5)
    torch.testing.assert_close(whole[1]["pooled_output"], there[0][1]["pooled_output"], rtol=0, atol=1e-5)
    torch.testing.assert_close(half[0], (prompt[0][0] + there[0][0]) / 2, rtol=0, atol=1e-5)


def test_the_direction_of_many_sentences_moves_a_prompt_it_has_not_seen(host, clip) -> None:
    """Pocket captions: towards the same caption with the other animal, and nearer than half way."""
    coats = ("plain", "striped", "spotted")
    banks = {
        animal: "\n".join(
            f"a photo of a {coat} {color} {animal} on {ground}"
            for coat in coats
            for color in ("red", "green", "blue")
            for ground in ("grass", "sand")
        )
        for animal in ("horse", "cow")
    }
    node = host.nodes["AppearanceTransfer_EditDirection"]
    with torch.inference_mode():
        to_cow = node.execute(clip, banks["horse"], banks["cow"], "as pasted", "thing", 1000, 0).args[0]
        prompt = stock(clip, "a photo of a plain yellow horse on snow")
        apply = host.nodes["AppearanceTransfer_ApplyEditDirection"]
        edited = apply.execute(prompt, to_cow, 1.0, clip).args[0][0][0]
        expected = stock(clip, "a photo of a plain yellow cow on snow")[0][0]
    assert (edited - expected).norm() < 0.5 * (prompt[0][0] - expected).norm()


def test_the_node_builds_its_sentences_and_hands_them_out(host, clip) -> None:
    node = host.nodes["AppearanceTransfer_EditDirection"]
    with torch.inference_mode():
        created, source, target = node.execute(clip, "horse", "cow", "from words", "thing", 40, 0).args
    assert len(source.splitlines()) == len(target.splitlines()) == 40
    assert source.replace("horse", "cow") == target
    assert (created.source, created.target) == ("horse", "cow")
    assert created.tokens.shape == (1, 77, 64)


class TestFiles:
    def test_round_trip_through_the_nodes(self, host, clip) -> None:
        created = direction(clip, "a horse", "a cow")
        host.nodes["AppearanceTransfer_SaveEditDirection"].execute(created, "horse2cow")
        load = host.nodes["AppearanceTransfer_LoadEditDirection"]
        assert load.validate_inputs("horse2cow_00001.safetensors") is True
        found = load.execute("horse2cow_00001.safetensors").args[0]
        assert torch.equal(found.tokens, created.tokens)
        assert torch.equal(found.pooled, created.pooled)
        assert found.encoder == created.encoder

    @pytest.mark.parametrize("name", ["../outside", "a/b", "nothing", ""])
    def test_names_stay_in_the_folder(self, host, name) -> None:
        refusal = host.nodes["AppearanceTransfer_LoadEditDirection"].validate_inputs(name)
        assert "cannot be used" in refusal or "There is no" in refusal


class TestRefusals:
    def test_the_prompt_of_another_encoder(self, clip, two_encoders) -> None:
        from appearance_transfer.host.editing.text_encoding import apply_direction

        with pytest.raises(ValueError, match="different text encoders"):
            apply_direction(stock(clip, "a horse"), direction(two_encoders, "a horse", "a cow"), 1.0)

    def test_the_clip_of_another_kind(self, clip, two_encoders) -> None:
        from appearance_transfer.host.editing.text_encoding import check_encoder

        with pytest.raises(ValueError, match=r"clip_l 64.*clip_g 24, clip_l 16"):
            check_encoder(direction(clip, "a horse", "a cow"), two_encoders)

    def test_a_clip_of_the_same_kind_is_warned_of(self, clip, caplog) -> None:
        from appearance_transfer.host.editing.text_encoding import check_encoder

        created = direction(clip, "a horse", "a cow")
        other = clip.clone()
        check_encoder(created, other)
        assert not caplog.records
        other.clip_layer(-2)
        check_encoder(created, other)
        assert "another layer" in caplog.text

    def test_encoders_that_are_not_clip(self) -> None:
        from appearance_transfer.host.editing.text_encoding import mean_encodings

        flux = SimpleNamespace(tokenize=lambda text, **options: {"l": [[(1, 1.0)]], "t5xxl": [[(1, 1.0)]]})
        with pytest.raises(ValueError, match="text encoders l, t5xxl"):
            mean_encodings(flux, ["a horse"])

    def test_an_empty_bank(self, host, clip) -> None:
        node = host.nodes["AppearanceTransfer_EditDirection"]
        with pytest.raises(ValueError, match="The target bank holds no sentence"):
            node.execute(clip, "a horse", " \n", "as pasted", "thing", 1000, 0)
