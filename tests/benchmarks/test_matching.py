"""The benchmark of matches judges right: truth is found, shifted truth is not, groups share out the pairs."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.benchmarks.matches.keypoints import KEYPOINTS, fractions_found, keypoints_of
from appearance_transfer.benchmarks.matching import ALIGNED, FREE, PCK, _in_groups
from appearance_transfer.benchmarks.transfers.pairs import held_out_pairs, rendered
from appearance_transfer.correspondence.correspondence import Correspondence
from appearance_transfer.pocket.truth import true_correspondence

PAIRS = held_out_pairs(3, first_seed=700_000)
SIZE = 64


@pytest.fixture(scope="module")
def truth():
    return rendered(PAIRS, SIZE)


@pytest.fixture(scope="module")
def perfect(truth) -> Correspondence:
    """Every pixel matched as the renderer knows."""
    matches = [
        true_correspondence(truth.structure, truth.appearance, i, i, mirror=not pair.same_side)
        for i, pair in enumerate(PAIRS)
    ]
    index = torch.stack(matches)[:, None]
    known = (index >= 0).float()
    return Correspondence(index, known, known[:, 0], known[:, 0], (SIZE, SIZE), (SIZE, SIZE), (SIZE, SIZE))


def test_there_are_pairs_of_both_kinds() -> None:
    assert {pair.same_side for pair in PAIRS} == {True, False}


def test_the_truth_is_found(truth, perfect) -> None:
    keypoints = keypoints_of(truth)
    assert [len(points) for points in keypoints.structure] == [KEYPOINTS] * len(PAIRS)
    assert fractions_found(perfect, keypoints).tolist() == [1.0] * len(PAIRS)


def test_the_truth_on_the_wrong_side_is_not_found(truth, perfect) -> None:
    y, x = perfect.index // SIZE, perfect.index % SIZE
    flipped = torch.where(perfect.index >= 0, y * SIZE + (SIZE - 1 - x), -1)
    assert fractions_found(replace(perfect, index=flipped), keypoints_of(truth)).max() < 0.5


def test_no_match_is_not_found(truth, perfect) -> None:
    nothing = replace(perfect, index=torch.full_like(perfect.index, -1))
    assert fractions_found(nothing, keypoints_of(truth)).tolist() == [0.0] * len(PAIRS)


def test_groups_share_out_the_pairs() -> None:
    values = [0.25, 0.5, 1.0]
    groups = dict(_in_groups(PAIRS, {PCK: values, ALIGNED: values, FREE: values}))
    sides = groups[f"{PCK}, facing the same way"] + groups[f"{PCK}, facing opposite ways"]
    assert sorted(sides) == values
    species = [value for name, cases in groups.items() if " and " in name for value in cases]
    assert sorted(species) == values


def test_self_attention_is_read_at_every_step_that_is_compared(host, truth) -> None:
    from appearance_transfer.benchmarks.matches.sources import ATTENTION_STEPS, self_attention
    from appearance_transfer.benchmarks.transfers.inverted import pocket_models

    models = pocket_models()
    for step in ATTENTION_STEPS:
        with torch.inference_mode():
            features = self_attention(
                models, truth.structure.image[:1], truth.structure_nouns[:1], step=step, coarse=True, keys=True
            )
        assert features.values.isfinite().all()
