"""What a text means to a CLIP of ComfyUI: in the space of images, or nowhere."""

import pytest
import torch
from safetensors.torch import save_file

TEXT = "a photo of a striped horse"


@pytest.fixture
def clip(host):
    """ComfyUI's CLIP-L, small. Its checkpoint has no text projection, as those of SD1.5."""
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

    return load_pocket_checkpoint()[1]


def give_projection(clip, weight: torch.Tensor) -> None:
    clip.cond_stage_model.clip_l.transformer.text_projection.weight = torch.nn.Parameter(weight, requires_grad=False)


def random_projection() -> torch.Tensor:
    return torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) / 8


def loaded_from(clip, folder, name: str) -> None:
    """As ComfyUI notes it, from a file that holds one tensor of that name."""
    path = str(folder / "clip.safetensors")
    save_file({name: torch.zeros(1)}, path)
    clip.patcher.cached_patcher_init = (print, ([path], None))


def test_a_text_is_projected_into_the_space_of_images(clip) -> None:
    """ComfyUI's Load CLIP gives a CLIP-L whose own pooled embedding is not."""
    from appearance_transfer.host.evaluation.clip_scores import text_embedding

    give_projection(clip, random_projection())
    meaning = text_embedding(clip, TEXT)
    encoder = clip.cond_stage_model.clip_l
    encoder.return_projected_pooled = True
    ids = [[token for token, _ in chunk] for chunk in clip.tokenize(TEXT)["l"]]
    with torch.no_grad():
        _, projected = encoder(ids)
    torch.testing.assert_close(meaning, projected.float(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("value", [0.0, torch.nan])
def test_what_the_host_makes_where_the_file_has_none_is_refused(clip, value) -> None:
    from appearance_transfer.host.evaluation.clip_scores import text_embedding

    give_projection(clip, torch.full((64, 64), value))
    with pytest.raises(ValueError, match="its file has no text projection"):
        text_embedding(clip, TEXT)


def test_memory_that_looks_like_a_projection_is_refused(clip, tmp_path) -> None:
    from appearance_transfer.host.evaluation.clip_scores import text_embedding

    give_projection(clip, random_projection())
    loaded_from(clip, tmp_path, "text_model.final_layer_norm.weight")
    with pytest.raises(ValueError, match="its file has no text projection"):
        text_embedding(clip, TEXT)


@pytest.mark.parametrize("name", ["text_projection.weight", "conditioner.embedders.1.model.text_projection"])
def test_a_file_that_has_it_is_believed(clip, tmp_path, name) -> None:
    from appearance_transfer.host.evaluation.clip_scores import text_embedding

    give_projection(clip, random_projection())
    loaded_from(clip, tmp_path, name)
    assert text_embedding(clip, TEXT).shape == (1, 64)
