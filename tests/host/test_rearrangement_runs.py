"""Semantic Rearrangement in runs and chains: batches, interrupts, costs, other nodes, what it refuses."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.rearranging import (
    CFG,
    GRID,
    entering,
    identity,
    left_half,
    rearrange,
    sample,
    weigh,
)


@pytest.fixture(scope="module")
def second(model):
    return world.invert(model, world.latents(3), seed=8)


class TestRuns:
    def test_requeue_is_bit_identical_and_leaves_nothing(self, model, structure, appearance) -> None:
        patched = rearrange(model, [appearance], structure)
        first = sample(patched, structure, CFG)
        assert not world.runs_of(patched)
        assert torch.equal(sample(patched, structure, CFG), first)

    def test_clones_of_one_model_do_not_see_each_other(self, model, structure, appearance, second) -> None:
        plain = sample(model, structure)
        one, other = rearrange(model, [appearance], structure), rearrange(model, [second], strength=0.5)
        first = sample(one, structure)
        assert not torch.equal(sample(other, structure), first)
        assert torch.equal(sample(one, structure), first)
        assert torch.equal(sample(model, structure), plain)

    @pytest.mark.parametrize("replayed", [False, True])
    def test_an_interrupted_run_leaves_no_trace(self, model, structure, appearance, replayed) -> None:
        from comfy.model_management import InterruptProcessingException

        def interrupt(latent, sigma, **_):
            if structure.schedule.index_of(sigma) == 4:
                raise InterruptProcessingException
            return latent

        patched = rearrange(model, [appearance], structure, replayed=replayed)
        first = sample(patched, structure, CFG)
        with pytest.raises(InterruptProcessingException):
            sample(patched, structure, CFG, between_steps=interrupt)
        assert not world.runs_of(patched)
        assert torch.equal(sample(patched, structure, CFG), first)

    def test_a_batch_is_its_images(self, model) -> None:
        both, appearances = world.invert(model, world.latents(5, 2)), world.invert(model, world.latents(6, 2), seed=3)
        pairs = sample(rearrange(model, [appearances], both), both, CFG)
        for i in range(2):
            alone = sample(rearrange(model, [appearances.image(i)], both.image(i)), both.image(i), CFG)
            assert world.relative(alone, pairs[i : i + 1]) < 1e-4

    def test_replayed_references_move_with_the_text_guidance(self, model, appearance) -> None:
        """An inversion replayed at the scale it was made with stays at its recorded latents."""
        guided = world.invert(model, world.latents(1), guidance=CFG)
        appearances = world.invert(model, world.latents(2), seed=7, guidance=CFG)
        recorded, replayed = (
            sample(rearrange(model, [appearances], guided, replayed=replayed), guided, CFG)
            for replayed in (False, True)
        )
        assert world.relative(replayed, recorded) < 1e-3
        elsewhere = sample(rearrange(model, [appearances], guided, replayed=True), guided, 1.0)
        assert world.relative(elsewhere, sample(rearrange(model, [appearances], guided), guided, 1.0)) > 1e-2


def test_evaluations_are_those_we_state(host) -> None:
    """100 steps with 32 left out, guided inversion and guided sampling: 272 + 136 + 57 = 465; replayed 2 x 2 x 68."""
    from appearance_transfer.host.models.schedules import schedule_of
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance

    model = world.small_model()
    counter = world.count_evaluations(model)
    schedule = schedule_of(model, steps=100, start_at=32)
    structure, appearance = (
        world.invert(model, world.latents(seed)[..., :8, :8], schedule=schedule, guidance=3.5, levels_per_forward=4)
        for seed in (1, 2)
    )
    assert counter.samples == 272
    for settings, expected in (({}, 57), ({"structure_rule": "both"}, 63), ({"replayed": True}, 272)):
        before = counter.samples
        patched = rearrange_appearance(model, [Appearance(appearance)], structure, RearrangementSettings(**settings))
        sample(patched, structure, CFG)
        assert counter.samples - before == 136 + expected


class TestChain:
    """With the patches of other nodes before or after ours."""

    def test_another_patch_of_the_input_keeps_its_part(self, model, structure, appearance) -> None:
        def other(n, context, value, extra):
            return n, context, value * 0.5

        patched = model.clone()
        patched.set_model_attn1_patch(other)
        alone = sample(patched, structure)
        assert torch.equal(sample(rearrange(patched, [weigh(appearance, weight=0.0)]), structure), alone)
        inside = rearrange(patched, [weigh(appearance, mask=left_half())])
        value = entering(inside, structure)[2][0].unflatten(1, GRID)
        assert torch.equal(value[:, :, 4:], entering(patched, structure)[2][0].unflatten(1, GRID)[:, :, 4:])

    def test_keys_and_values_of_another_length_are_left_alone(self, model, structure, appearance, caplog) -> None:
        def longer(n, context, value, extra):
            return n, torch.cat([context, context], 1), torch.cat([value, value], 1)

        patched = model.clone()
        patched.set_model_attn1_patch(longer)
        sample(rearrange(patched, [appearance]), structure)
        assert "not rearranged" in caplog.text

    def test_a_node_that_merges_tokens_switches_it_off_there(self, host, model, structure, appearance, caplog) -> None:
        tiled = host.nodes["HyperTile"].execute(model, tile_size=1, swap_size=1, max_depth=2, scale_depth=False)[0]
        sample(rearrange(tiled, [appearance]), structure)
        assert "changes the number of tokens" in caplog.text

    def test_cross_image_attention_before_and_after(self, model, structure, appearance, second) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance

        def attend(patched):
            return transfer_appearance(patched, [weigh(second)], structure, world.transfer_settings())

        before = sample(rearrange(attend(model), [appearance], structure), structure)
        assert torch.equal(sample(attend(rearrange(model, [appearance], structure)), structure), before)
        assert not torch.equal(sample(attend(model), structure), before)
        assert not torch.equal(sample(rearrange(model, [appearance], structure), structure), before)

    def test_two_prompts_for_a_batch(self, model, appearance) -> None:
        """Combined conditionings bring rows for each prompt; both are edited, image by image."""
        both = world.invert(model, world.latents(5, 2))
        prompts = world.prompt(1) + world.prompt(3)
        patched = rearrange(model, [weigh(appearance, mask=torch.stack([torch.ones(16, 16), left_half()[0]]))])
        twice = world.sample(patched, both, guider=world.stock_guider(patched, positive=prompts))
        alone = rearrange(model, [weigh(appearance, mask=left_half())])
        single = world.sample(alone, both.image(1), guider=world.stock_guider(alone, positive=prompts))
        assert world.relative(single, twice[1:]) < 1e-4


class TestRefusals:
    """One sentence each, before anything expensive."""

    def test_no_appearance(self, model) -> None:
        with pytest.raises(ValueError, match="No appearance is connected"):
            rearrange(model, [])

    def test_matches_of_another_shape(self, model, structure, appearance) -> None:
        narrow = identity(structure_image=(128, 96))
        with pytest.raises(ValueError, match="96x128 pixels of the structure and the latents of the structure"):
            rearrange(model, [weigh(appearance, correspondence=narrow)], structure)
        with pytest.raises(ValueError, match="96x128 pixels of the structure and the latents of the structure"):
            sample(rearrange(model, [weigh(appearance, correspondence=narrow)]), structure)
        wide = identity(appearance_image=(128, 256))
        with pytest.raises(ValueError, match="256x128 pixels of the appearance and"):
            rearrange(model, [weigh(appearance, correspondence=wide)])
        rearrange(model, [weigh(appearance, correspondence=identity(structure_image=(1024, 1020)))])

    def test_matches_of_another_number_of_images(self, model, structure, appearance) -> None:
        patched = rearrange(model, [weigh(appearance, correspondence=identity(2))])
        with pytest.raises(ValueError, match="are of 2 images and the batch to sample 1"):
            sample(patched, structure)

    def test_dift_without_a_structure(self, model, appearance) -> None:
        with pytest.raises(ValueError, match="no structure is connected"):
            rearrange(model, [appearance], match_source="dift")
        rearrange(model, [weigh(appearance, correspondence=identity())], match_source="dift")

    def test_an_empty_appearance_mask(self, model, appearance) -> None:
        with pytest.raises(ValueError, match="nothing inside it can be matched"):
            rearrange(model, [weigh(appearance, appearance_mask=torch.zeros(1, 64, 64))])

    def test_a_window_that_never_opens_says_so(self, model, structure, appearance, caplog) -> None:

        sample(rearrange(model, [appearance], window=world.window(50, 60)), structure)
        assert "Semantic Rearrangement has no effect" in caplog.text
