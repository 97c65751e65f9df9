"""Features of the appearance in the order of the output: the reference code's matches, and a plain loop. fp32."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.rearrangement import ReferenceFeatures, match_features, rearranged, touched
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.tests.golden.reference import golden
from hypothesis import given, settings
from hypothesis import strategies as st

N, M, C = 20, 15, 6


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class TestReferenceCode:
    """Equal at every position, though masked positions of the appearance may not be matched here (cosine 0 there)."""

    def test_operator(self) -> None:
        found = match_features(golden("operators", "efe.smooth.f_out"), golden("operators", "efe.smooth.f_app"))
        assert torch.equal(found, golden("operators", "efe.smooth.index").flatten().long())

    def test_operator_with_masks(self) -> None:
        own, appearance, query_mask, key_mask = (
            golden("operators", f"efe.rand_masked.{name}") for name in ("f_out", "f_app", "mask_struct", "mask_app")
        )
        found = match_features(own, appearance, query_mask.flatten() > 0, key_mask.flatten() > 0)
        expected = golden("operators", "efe.rand_masked.index").flatten().long()
        assert (expected == NO_MATCH).any()
        assert torch.equal(found, expected)

    @pytest.mark.parametrize("tokens", [32, 64])
    def test_layers_of_the_released_loop(self, tokens) -> None:
        own, appearance = (golden("efe_unmasked_27", f"match12_{tokens}.{name}") for name in ("f_out", "f_app"))
        found = match_features(own, appearance)
        assert torch.equal(found, golden("efe_unmasked_27", f"match12_{tokens}.index").flatten().long())

    @pytest.mark.parametrize("tokens", [32, 64])
    def test_positions_left_alone_are_those_of_the_reduced_mask(self, tokens) -> None:
        mask = golden("efe_masked_27", "mask_struct_512")
        index = golden("efe_masked_27", f"match12_{tokens}.index")
        assert torch.equal(touched(mask, (tokens, tokens))[0], index != NO_MATCH)


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_the_plain_loop(seed) -> None:
    own, appearance = random(N, C, seed=seed), random(M, C, seed=seed + 1)
    query_mask, key_mask = random(N, seed=seed + 2) > 0, random(M, seed=seed + 3) > 0
    expected = own.clone()
    for position in range(N):
        cosines = {q: torch.cosine_similarity(own[position], appearance[q], dim=0) for q in range(M) if key_mask[q]}
        if query_mask[position] and cosines:
            expected[position] = appearance[max(cosines, key=cosines.__getitem__)]
    index = match_features(own, appearance, query_mask, key_mask)
    assert torch.equal(rearranged(own, [ReferenceFeatures(appearance, index, torch.ones(N))]), expected)


@pytest.mark.parametrize("nothing", ["references", "weight", "match", "query_mask", "key_mask"])
def test_nothing_offered_changes_nothing(nothing) -> None:
    own, appearance = random(N, C), random(M, C, seed=1)
    query_mask = torch.zeros(N, dtype=torch.bool) if nothing == "query_mask" else None
    key_mask = torch.zeros(M, dtype=torch.bool) if nothing == "key_mask" else None
    index = match_features(own, appearance, query_mask, key_mask)
    index = torch.full_like(index, NO_MATCH) if nothing == "match" else index
    weight = torch.zeros(N) if nothing == "weight" else torch.full((N,), 0.3)
    references = [] if nothing == "references" else [ReferenceFeatures(appearance, index, weight)]
    assert torch.equal(rearranged(own, references), own)


def test_shares_blend_and_the_rest_is_its_own() -> None:
    own, first, second = random(N, C), random(M, C, seed=1), random(M, C, seed=2)
    to_first, to_second = match_features(own, first), match_features(own, second)
    out = rearranged(
        own,
        [
            ReferenceFeatures(first, to_first, torch.full((N,), 0.5)),
            ReferenceFeatures(second, to_second, torch.full((N,), 0.2)),
        ],
    )
    torch.testing.assert_close(out, 0.5 * first[to_first] + 0.2 * second[to_second] + 0.3 * own)


def test_each_position_takes_from_the_image_that_paints_it() -> None:
    own, first, second = random(N, C), random(M, C, seed=1), random(M, C, seed=2)
    left = (torch.arange(N) < 7).float()
    to_first, to_second = match_features(own, first), match_features(own, second)
    out = rearranged(own, [ReferenceFeatures(first, to_first, left), ReferenceFeatures(second, to_second, 1 - left)])
    assert torch.equal(out, torch.where(left[:, None] > 0, first[to_first], second[to_second]))


def test_inputs_are_not_changed() -> None:
    own = random(N, C)
    before = own.clone()
    rearranged(own, [ReferenceFeatures(random(M, C), torch.zeros(N, dtype=torch.int64), torch.ones(N))])
    assert torch.equal(own, before)


def test_only_exact_zeros_are_outside_a_mask() -> None:
    mask = torch.zeros(2, 16, 16)
    mask[1, 3, 3] = 0.01
    assert touched(mask, (4, 4)).sum(dim=(1, 2)).tolist() == [0, 0]
    mask[1, 1, 1] = 0.01
    assert touched(mask, (4, 4))[1].nonzero().tolist() == [[0, 0]]
    assert touched(mask[1], (4, 4)).shape == (1, 4, 4)


def test_a_match_between_positions_takes_their_mean() -> None:
    own, features = random(N, C), random(M, C, seed=1)
    around = torch.stack([torch.arange(N) % M, (torch.arange(N) + 3) % M], 1)
    around[4] = NO_MATCH
    fractions = torch.tensor([0.25, 0.75]).expand(N, 2)
    out = rearranged(own, [ReferenceFeatures(features, around, torch.ones(N), fractions)])
    expected = 0.25 * features[around[:, 0]] + 0.75 * features[around[:, 1]]
    expected[4] = own[4]
    torch.testing.assert_close(out, expected)
    assert torch.equal(out[4], own[4])
