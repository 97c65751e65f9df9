"""Match References: what a transfer finds by itself, before the run."""

import pytest
import torch
from appearance_transfer.correspondence.match import FIELD, TRANSPORT
from appearance_transfer.tests.host.small_world import count_evaluations, invert, latents, sample, transfer_settings


@pytest.fixture(scope="module")
def inversions(structure, appearance):
    return structure, appearance


def found(model, inversions, *words, **masks):
    from appearance_transfer.host.transfer.match_references import match_references

    return match_references(model, *inversions, *words, **masks)


def entry_with(inversion, found):
    from appearance_transfer.host.transfer.plan import Appearance

    return Appearance(
        inversion, mask=found.structure_mask, appearance_mask=found.appearance_mask, correspondence=found.matches
    )


def test_cross_image_attention_given_what_it_would_find_is_the_same(model, inversions) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance

    structure, appearance = inversions
    settings = transfer_settings(find=True)
    by_itself = transfer_appearance(model, [Appearance(appearance)], structure, settings)
    entry = entry_with(appearance, found(model, inversions))
    before = transfer_appearance(model, [entry], structure, settings)
    assert torch.equal(sample(before, structure), sample(by_itself, structure))


def test_semantic_rearrangement_given_what_it_would_find_is_the_same(model, inversions) -> None:
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance

    structure, appearance = inversions
    settings = RearrangementSettings(find=True)
    by_itself = rearrange_appearance(model, [Appearance(appearance)], structure, settings)
    entry = entry_with(appearance, found(model, inversions, TRANSPORT))
    before = rearrange_appearance(model, [entry], structure, settings)
    assert torch.equal(sample(before, structure), sample(by_itself, structure))


def test_it_costs_three_evaluations_and_leaves_nothing(model, inversions) -> None:
    counted = model.clone()
    counter = count_evaluations(counted)
    first = found(counted, inversions)
    assert counter.samples == 3
    again = found(model, inversions)
    assert torch.equal(first.matches.index, again.matches.index)
    assert first.matches.images == len(first.structure_mask) == len(first.appearance_mask) == 1


@pytest.mark.parametrize("method", [FIELD, TRANSPORT])
def test_a_given_mask_comes_out_as_it_is(model, inversions, method) -> None:
    half = torch.zeros(1, 16, 16)
    half[..., 8:] = 1
    result = found(model, inversions, method, appearance_mask=half)
    assert result.appearance_mask is half
    if method == TRANSPORT:
        columns = result.matches.best % result.matches.appearance_grid[1]
        assert (columns[result.matches.best >= 0] >= result.matches.appearance_grid[1] // 2).all()


def test_images_that_do_not_go_together_are_told_before_the_model_runs(model, inversions) -> None:
    structure, _ = inversions
    three = invert(model, torch.cat([latents(seed) for seed in (1, 2, 3)]))
    with pytest.raises(ValueError, match="holds 1 image.*appearance 3"):
        found(model, (structure, three))


def test_the_soft_edge_of_a_mask_is_not_matched(model, inversions) -> None:
    """It shows background, too; a mask that is soft all over is taken as it is."""
    hard = torch.zeros(1, 16, 16)
    hard[:, 4:12, 4:12] = 1
    soft = torch.full((1, 16, 16), 0.4).maximum(hard)
    by_hard, by_soft = (found(model, inversions, TRANSPORT, structure_mask=mask) for mask in (hard, soft))
    assert torch.equal(by_hard.matches.index, by_soft.matches.index)
    faint = found(model, inversions, TRANSPORT, structure_mask=0.4 * hard)
    assert torch.equal(faint.matches.index, by_hard.matches.index)
