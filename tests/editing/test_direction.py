"""Edit directions: the reference code's means, what they do to a prompt, and how they are kept."""

from __future__ import annotations

import json

import pytest
import torch
from appearance_transfer.editing import storage
from appearance_transfer.editing.direction import (
    EditDirection,
    Encoding,
    direction_between,
    mean_encoding,
    moved_pooled,
    moved_tokens,
)
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from safetensors.torch import load_file, save_file


def released(name: str) -> torch.Tensor:
    return golden("p2pz_B5_direction", name, SPLICE_AND_PIX2PIX_ZERO)


def make(pooled: bool = True) -> EditDirection:
    generator = torch.Generator().manual_seed(0)
    return EditDirection(
        tokens=torch.randn(1, 7, 6, generator=generator),
        pooled=torch.randn(1, 5, generator=generator) if pooled else None,
        source="cat",
        target="dog",
        encoder={"architecture": "clip_l 6", "weights": "abc"},
    )


@pytest.mark.parametrize("batch", [1, 4, 20])
def test_the_direction_is_that_of_the_released_code(batch) -> None:
    """B5: means and direction to 1e-6, in batches of any size."""
    means = []
    for side in ("source", "target"):
        mean = mean_encoding(Encoding(tokens) for tokens in released(f"{side}_sentences").split(batch))
        torch.testing.assert_close(mean.tokens, released(f"{side}_mean"), rtol=0, atol=1e-6)
        means.append(mean)
    direction = direction_between(*means)
    torch.testing.assert_close(direction.tokens, released("direction"), rtol=0, atol=1e-6)
    assert direction.pooled is None


def test_pooled_embeddings_are_averaged_too() -> None:
    tokens, pooled = torch.randn(6, 3, 2), torch.randn(6, 4)
    mean = mean_encoding(Encoding(tokens[i : i + 4], pooled[i : i + 4]) for i in (0, 4))
    torch.testing.assert_close(mean.pooled, pooled.mean(0, keepdim=True))


def test_no_sentence_is_no_mean() -> None:
    with pytest.raises(ValueError, match="no sentence"):
        mean_encoding([])


def test_a_prompt_moves_by_strength_times_the_direction() -> None:
    direction, prompt = make(), torch.randn(2, 7, 6)
    torch.testing.assert_close(moved_tokens(prompt, direction, 0.5), prompt + 0.5 * direction.tokens)
    there = moved_tokens(prompt, direction, 1.0)
    torch.testing.assert_close(moved_tokens(there, direction, -1.0), prompt)


def test_every_chunk_of_a_long_prompt_moves() -> None:
    direction, prompt = make(), torch.randn(1, 14, 6)
    chunks = moved_tokens(prompt, direction, 2.0).chunk(2, dim=1)
    for chunk, before in zip(chunks, prompt.chunk(2, dim=1), strict=True):
        torch.testing.assert_close(chunk, before + 2.0 * direction.tokens)


def test_half_precision_stays_half() -> None:
    assert moved_tokens(torch.zeros(1, 7, 6, dtype=torch.float16), make(), 1.0).dtype == torch.float16


@pytest.mark.parametrize("shape", [(1, 7, 5), (1, 10, 6), (7, 6)])
def test_the_prompt_of_another_encoder_is_refused(shape) -> None:
    with pytest.raises(ValueError, match="different text encoders"):
        moved_tokens(torch.zeros(shape), make(), 1.0)


def test_pooled_embeddings_move_where_there_is_a_direction_for_them() -> None:
    pooled = torch.randn(2, 5)
    torch.testing.assert_close(moved_pooled(pooled, make(), 2.0), pooled + 2.0 * make().pooled)
    assert moved_pooled(pooled, make(pooled=False), 2.0) is pooled
    with pytest.raises(ValueError, match="different text encoders"):
        moved_pooled(torch.zeros(1, 4), make(), 1.0)


@pytest.mark.parametrize("pooled", [True, False])
def test_what_is_saved_comes_back_bit_by_bit(tmp_path, pooled) -> None:
    path, direction = tmp_path / "cat2dog.safetensors", make(pooled)
    storage.save(direction, path)
    found = storage.load(path)
    assert torch.equal(found.tokens, direction.tokens)
    assert torch.equal(found.pooled, direction.pooled) if pooled else found.pooled is None
    assert (found.source, found.target, found.encoder) == ("cat", "dog", direction.encoder)


def rewrite(path, change_header=None, change_tensors=None) -> None:
    """A file that another program or an accident left."""
    storage.save(make(), path)
    tensors, header = load_file(path), {"version": 1, "source": "cat", "target": "dog", "encoder": {}}
    if change_header:
        change_header(header)
    if change_tensors:
        change_tensors(tensors)
    save_file(tensors, path, {storage.KIND.key: json.dumps(header)})


DEFECTS = {
    "foreign": (lambda path: save_file({"tokens": torch.zeros(1, 7, 6)}, path), "holds no edit direction"),
    "newer": (lambda path: rewrite(path, lambda h: h.update(version=2)), "version 2"),
    "no target": (lambda path: rewrite(path, lambda h: h.pop("target")), "lacks 'target'"),
    "encoder no object": (lambda path: rewrite(path, lambda h: h.update(encoder=3)), "damaged"),
    "no tokens": (lambda path: rewrite(path, None, lambda t: t.pop("tokens")), "lacks the tokens"),
    "several rows": (lambda path: rewrite(path, None, lambda t: t.update(tokens=torch.zeros(2, 7, 6))), "one row"),
    "integers": (lambda path: rewrite(path, None, lambda t: t.update(pooled=t["pooled"].int())), "whole numbers"),
    "NaN": (lambda path: rewrite(path, None, lambda t: t["tokens"].view(-1)[3:4].fill_(torch.nan)), "NaN"),
    "endless version": (lambda path: rewrite(path, lambda h: h.update(version=float("inf"))), "'version' is infinite"),
    "source a list": (lambda path: rewrite(path, lambda h: h.update(source=["cat"])), "'source' is a list"),
    "8-bit floats": (
        lambda path: rewrite(path, None, lambda t: t.update(tokens=t["tokens"].to(torch.float8_e4m3fn))),
        "8-bit numbers",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_every_defect_has_its_sentence(tmp_path, defect) -> None:
    damage, sentence = DEFECTS[defect]
    path = tmp_path / "cat2dog.safetensors"
    damage(path)
    with pytest.raises(ValueError, match=sentence) as caught:
        storage.load(path)
    text = str(caught.value)
    assert path.name in text
    assert text.endswith(".") or text.endswith(").")
