"""Which columns of a text belong to a word: real tokens, textual-inversion embeddings, and prompts of other words."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from safetensors.torch import save_file


@pytest.fixture(scope="module")
def clip(host):
    """The pocket world's: one encoder, 64 wide."""
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

    return load_pocket_checkpoint()[1]


@pytest.fixture
def with_embedding(clip, tmp_path, monkeypatch):
    """The same CLIP, which finds an embedding of two tokens, "embedding:rosette"."""
    rosette = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    save_file({"emb_params": rosette}, tmp_path / "rosette.safetensors")
    monkeypatch.setattr(clip.tokenizer.clip_l, "embedding_directory", [str(tmp_path)])
    return clip


def encode(clip, text: str) -> torch.Tensor:
    with torch.inference_mode():
        return clip.encode_from_tokens(clip.tokenize(text))


def inverted_under(*embeddings: torch.Tensor):
    """An inversion of as many images as there are embeddings."""
    from dataclasses import replace

    inversion = world.invert(world.small_model(), world.latents(1, len(embeddings)))
    return replace(inversion, conditioning={"positive": torch.cat(embeddings), "negative": embeddings[0]})


def columns(inversion, clip, prompt: str, word: str) -> list[int]:
    from appearance_transfer.host.models.prompt_tokens import columns_in

    with torch.inference_mode():
        return columns_in(inversion, clip, prompt, word)


TEXT = "a photo of a horse"


class TestThePromptIsTheTextOfTheInversion:
    @pytest.fixture(scope="class")
    def inversion(self, clip):
        return inverted_under(encode(clip, TEXT))

    def test_the_same_words(self, clip, inversion, tmp_path) -> None:
        from appearance_transfer.inversion import storage

        storage.save(inversion, tmp_path / "horse.safetensors")
        for known in (inversion, storage.load(tmp_path / "horse.safetensors")):
            assert columns(known, clip, TEXT, "horse") == [5]
            assert columns(known, clip, TEXT, "a") == [1, 4]

    @pytest.mark.parametrize("other", ["horse a photo of a", "a photo of the horse", "a cow with a horse", "a horse"])
    def test_other_words_of_the_same_length(self, clip, inversion, other) -> None:
        assert encode(clip, other).shape == encode(clip, TEXT).shape
        with pytest.raises(ValueError, match="is not the text that the image was inverted with"):
            columns(inversion, clip, other, "horse")

    def test_one_of_several_images_has_another_text(self, clip) -> None:
        both = inverted_under(encode(clip, TEXT), encode(clip, "a photo of a cow"))
        assert columns(both.image(0), clip, TEXT, "horse") == [5]
        with pytest.raises(ValueError, match="is not the text"):
            columns(both, clip, TEXT, "horse")

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_an_encoder_in_half_precision(self, clip, dtype) -> None:
        rounded = encode(clip, TEXT).to(dtype).float()
        assert columns(inverted_under(rounded), clip, TEXT, "horse") == [5]

    def test_a_long_prompt_is_not_echoed_whole(self, clip, inversion) -> None:
        with pytest.raises(ValueError) as caught:
            columns(inversion, clip, "horse " * 20000, "horse")
        assert len(str(caught.value)) < 600


class TestEmbeddings:
    PROMPT = "a horse in embedding:rosette style"

    def test_a_word_before_and_after_an_embedding(self, with_embedding) -> None:
        inversion = inverted_under(encode(with_embedding, self.PROMPT))
        assert columns(inversion, with_embedding, self.PROMPT, "horse") == [2]
        assert columns(inversion, with_embedding, self.PROMPT, "style") == [6]

    def test_the_embedding_itself(self, with_embedding) -> None:
        inversion = inverted_under(encode(with_embedding, self.PROMPT))
        assert columns(inversion, with_embedding, self.PROMPT, "embedding:rosette") == [4, 5]

    def test_an_embedding_that_is_not_there(self, with_embedding) -> None:
        inversion = inverted_under(encode(with_embedding, TEXT))
        with pytest.raises(ValueError, match="is not in the prompt"):
            columns(inversion, with_embedding, TEXT, "embedding:rosette")
