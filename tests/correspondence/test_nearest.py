"""Nearest and mutual matches against the full matrix of cosines."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.nearest import best_positions, mutual_positions
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import one_hot


def first_best(cosine: Tensor, possible: Tensor) -> tuple[list[int], list[float]]:
    """By looking at one pair after another: the definition."""
    index, value = [], []
    for row, able in zip(cosine.tolist(), possible.tolist(), strict=True):
        found = [(c, -q) for q, (c, can) in enumerate(zip(row, able, strict=True)) if can]
        best = max(found, default=(0.0, -NO_MATCH))
        index.append(-best[1])
        value.append(best[0])
    return index, value


@st.composite
def problems(draw) -> dict:
    """Vectors whose cosines are 0, +-1 or +-1/2 exactly, so that ties abound and rounding has no say; some are zero."""
    n, m = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    axis = st.sampled_from([(0, 0, 0, 0), (1, 0, 0, 0), (0, -2, 0, 0), (0, 0, 4, 0), (1, 1, 1, 1), (1, -1, 1, -1)])
    vectors = torch.tensor([draw(axis) for _ in range(n + m)], dtype=torch.float32)
    label = st.integers(0, 2)
    return {
        "asking": vectors[:n],
        "offering": vectors[n:],
        "key_mask": torch.tensor([draw(st.booleans()) for _ in range(m)]),
        "labels": (torch.tensor([draw(label) for _ in range(n)]), torch.tensor([draw(label) for _ in range(m)])),
        "chunk": draw(st.integers(1, 13)),
    }


@given(problems(), st.booleans(), st.booleans())
def test_it_is_the_first_maximum_of_the_full_matrix(problem, with_key_mask, with_labels):
    queries, keys = problem["asking"], problem["offering"]
    key_mask = problem["key_mask"] if with_key_mask else None
    labels = problem["labels"] if with_labels else None
    possible = torch.ones(len(queries), len(keys), dtype=torch.bool)
    if key_mask is not None:
        possible &= key_mask
    if labels is not None:
        possible &= labels[0][:, None] == labels[1]
    unit = [vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1) for vectors in (queries, keys)]
    index, cosine = best_positions(queries, keys, key_mask=key_mask, labels=labels, chunk=problem["chunk"])
    assert (index.tolist(), cosine.tolist()) == first_best(unit[0] @ unit[1].T, possible)


def test_random_vectors_find_the_largest_cosine():
    generator = torch.Generator().manual_seed(0)
    queries, keys = torch.randn(700, 40, generator=generator), torch.randn(900, 40, generator=generator) * 7
    full = torch.nn.functional.cosine_similarity(queries.double()[:, None], keys.double()[None], dim=-1)
    index, cosine = best_positions(queries, keys)
    assert torch.equal(index, full.argmax(dim=1))
    torch.testing.assert_close(cosine.double(), full.amax(dim=1), atol=1e-6, rtol=0)


def test_the_first_of_many_copies_wins_wherever_it_stands():
    """Copies far apart in a wide product, with numbers that are not exact."""
    generator = torch.Generator().manual_seed(1)
    queries = torch.randn(5, 320, generator=generator)
    copies = queries.repeat(401, 1)
    keys = torch.cat([torch.randn(3, 320, generator=generator), copies])
    index, _ = best_positions(queries, keys, chunk=2)
    assert index.tolist() == [3, 4, 5, 6, 7]


def test_a_zero_vector_has_cosine_zero_and_takes_the_first():
    index, cosine = best_positions(torch.zeros(1, 3), torch.eye(3), key_mask=torch.tensor([False, True, True]))
    assert (index.tolist(), cosine.tolist()) == ([1], [0.0])


def test_a_match_below_zero_is_not_lost_to_what_is_masked_out():
    """The reference code would take the masked position, whose zeros have cosine 0."""
    index, cosine = best_positions(
        torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [-1.0, 0.0]]), key_mask=torch.tensor([False, True])
    )
    assert (index.tolist(), cosine.tolist()) == ([1], [-1.0])


def test_half_precision_is_computed_in_full():
    """Lengths whose squares half precision cannot hold."""
    queries = torch.tensor([[300.0, 1.0], [1.0, 300.0]], dtype=torch.float16)
    index, cosine = best_positions(queries, queries)
    assert index.tolist() == [0, 1]
    torch.testing.assert_close(cosine, torch.ones(2))


@given(problems())
def test_mutual_pairs_choose_each_other(problem):
    queries, keys, labels = problem["asking"], problem["offering"], problem["labels"]
    key_mask = problem["key_mask"]
    forth, cosine = best_positions(queries, keys, key_mask=key_mask, labels=labels)
    back, _ = best_positions(keys, queries, labels=labels[::-1])
    query_mask = [q if q != NO_MATCH and back[q] == p else NO_MATCH for p, q in enumerate(forth.tolist())]
    index, kept = mutual_positions(queries, keys, key_mask=key_mask, labels=labels, chunk=problem["chunk"])
    assert index.tolist() == query_mask
    assert torch.equal(kept, torch.where(index == NO_MATCH, 0.0, cosine))


def test_mutual_pairs_are_no_more_than_positions():
    crowd = one_hot(torch.tensor([0, 0, 0, 1]), 2).float()
    index, _ = mutual_positions(crowd, torch.eye(2))
    assert index.tolist() == [0, NO_MATCH, NO_MATCH, 1]


@pytest.mark.parametrize("which", ["key_mask", "labels"])
def test_nothing_to_match_is_no_match(which):
    limits = {"key_mask": torch.zeros(4, dtype=torch.bool), "labels": (torch.zeros(3).long(), torch.ones(4).long())}
    index, cosine = best_positions(torch.randn(3, 2), torch.randn(4, 2), **{which: limits[which]})
    assert index.tolist() == [NO_MATCH] * 3
    assert cosine.tolist() == [0.0] * 3
