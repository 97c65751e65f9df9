"""Semantic Rearrangement and Latent Deviation: objects and matches that are found, and places between positions."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.tests.host import deviating
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.rearranging import GRID, entering, identity, left_half, rearrange, sample, weigh


def samples_of(patched, structure, **options):
    """What comes out, and the rows that went through the network."""
    counter = world.count_evaluations(patched)
    return sample(patched, structure, **options), counter.samples


class TestRearrangement:
    def test_finding_costs_three_evaluations(self, model, structure, appearance) -> None:
        (plain, before), (found, after) = (
            samples_of(rearrange(model, [appearance], structure, find=find), structure) for find in (False, True)
        )
        assert after - before == 3
        assert not torch.equal(found, plain)

    def test_what_is_found_is_said(self, model, structure, appearance, caplog) -> None:
        with caplog.at_level("INFO"):
            sample(rearrange(model, [appearance], structure, find=True), structure)
        assert "3 evaluations of the model to find objects and matches" in caplog.text
        assert "Connect masks or matches to replace them" in caplog.text

    def test_everything_given_is_nothing_found(self, model, structure, appearance) -> None:
        ones = torch.ones(1, 16, 16)
        full = weigh(appearance, mask=ones, appearance_mask=ones, correspondence=identity())
        (plain, before), (other, after) = (
            samples_of(rearrange(model, [full], structure, find=find), structure) for find in (False, True)
        )
        assert before == after
        assert torch.equal(plain, other)

    def test_it_paints_and_reads_inside_the_masks(self, model, structure, appearance) -> None:
        """Of a structure step's layers nothing changes outside either; here, at a step that reads the appearance."""
        masked = weigh(appearance, mask=left_half(), appearance_mask=left_half())
        patched = rearrange(model, [masked], structure, find=True, structure_share=0.0)
        taken = entering(patched, structure)[0][0][0].unflatten(0, GRID)
        own = entering(model, structure)[0][0][0].unflatten(0, GRID)
        assert torch.equal(taken[:, 5:], own[:, 5:])
        assert not torch.equal(taken[:, :4], own[:, :4])

    def test_without_a_structure_the_features_match_themselves(self, model, structure, appearance, caplog) -> None:
        with caplog.at_level("INFO"):
            found = sample(rearrange(model, [appearance], find=True), structure)
        assert "No structure is connected" in caplog.text
        assert torch.equal(found, sample(rearrange(model, [appearance]), structure))

    def test_an_empty_mask_still_paints_nothing(self, model, structure, appearance) -> None:
        silent = rearrange(model, [weigh(appearance, mask=torch.zeros(1, 16, 16))], structure, find=True)
        assert torch.equal(sample(silent, structure), sample(model, structure))

    def test_the_reference_code_finds_nothing(self) -> None:
        from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings

        assert not RearrangementSettings.reference_code(find=True).find

    def test_a_batch_is_its_images(self, model, appearance) -> None:
        both = world.invert(model, world.latents(5, 2))
        together = sample(rearrange(model, [appearance], both, find=True), both)
        alone = sample(rearrange(model, [appearance], both.image(1), find=True), both.image(1))
        assert world.relative(alone, together[1:]) < 1e-4


class TestFinerThanAPosition:
    @pytest.fixture(scope="class")
    def available(self, model, appearance):
        return entering(model, appearance)[0][0][0].unflatten(0, GRID)

    def test_centers_are_whole_positions(self, model, structure, appearance) -> None:
        whole = identity()
        fine = replace(whole, subcell=whole.points())
        outputs = [
            sample(rearrange(model, [weigh(appearance, correspondence=matches)], structure), structure)
            for matches in (whole, fine)
        ]
        assert torch.equal(*outputs)

    def test_half_a_position_is_the_mean_of_two(self, model, structure, appearance, available) -> None:
        points = identity().points()
        points[..., 1] += 0.5 / GRID[1]
        between = weigh(appearance, correspondence=replace(identity(), subcell=points))
        taken = entering(rearrange(model, [between]), structure)[0][0][0].unflatten(0, GRID)
        expected = (available[:, :-1] + available[:, 1:]) / 2
        torch.testing.assert_close(taken[:, :-1], expected, atol=1e-4, rtol=1e-4)

    def test_positions_without_a_match_are_left_alone(self, model, structure, appearance) -> None:
        fine = replace(identity(moved=dict.fromkeys(range(64), -1)), subcell=identity().points())
        silent = rearrange(model, [weigh(appearance, correspondence=fine)])
        assert torch.equal(sample(silent, structure), sample(model, structure))


class TestDeviation:
    @pytest.fixture(scope="class")
    def pair(self, model):
        return deviating.invert(model, world.latents(1)), deviating.invert(model, world.latents(2), positive=3)

    @pytest.mark.parametrize(
        ("matching", "keep_noise", "per_step", "once"),
        [("none", 0.2, 2, 0), ("found", 0.2, 1, 3), ("found", 1.0, 0, 3)],
    )
    def test_evaluations_besides_the_replay(self, model, pair, matching, keep_noise, per_step, once) -> None:
        """The appearance's estimate and the second prediction at 3 steps, or neither; finding costs 3 in all."""
        clone = model.clone()
        counter = world.count_evaluations(clone)
        deviating.sample(clone, *pair, matching=matching, mixing=(0.6, 0.2, keep_noise))
        assert counter.samples == deviating.STEPS + 3 * per_step + once

    def test_outside_of_the_mask_nothing_changes(self, model, pair) -> None:
        own = deviating.warped_values(model, *pair, mask=torch.zeros(1, 16, 16))
        moved = deviating.warped_values(model, *pair, matching="found", mask=left_half())
        assert torch.equal(moved[..., 8:], own[..., 8:])
        assert world.relative(moved[..., :8], own[..., :8]) > 0.01

    def test_everything_given_is_nothing_found(self, model, pair) -> None:
        ones = torch.ones(1, 16, 16)
        full = {"mask": ones, "appearance_mask": ones, "correspondence": deviating.identity()}
        clone = model.clone()
        counter = world.count_evaluations(clone)
        deviating.sample(clone, *pair, matching="found", mixing=(0.6, 0.2, 1.0), **full)
        assert counter.samples == deviating.STEPS

    def test_the_image_itself_is_laid_over_the_structure(self, model, pair) -> None:
        laid = deviating.warped_values(model, *pair, matching="found", correspondence=deviating.identity())
        torch.testing.assert_close(laid.cpu(), pair[1].x0, rtol=1e-5, atol=1e-5)
