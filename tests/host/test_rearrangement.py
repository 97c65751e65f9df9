"""Semantic Rearrangement as a patch of a MODEL: which tokens it changes and which it leaves alone."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.rearranging import (
    CFG,
    GRID,
    SAME,
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


def test_it_changes_the_image(model, structure, appearance) -> None:
    assert world.relative(sample(rearrange(model, [appearance], structure), structure), sample(model, structure)) > 0.05


@pytest.mark.parametrize("rule", [None, "official", "both"], ids=["no structure", "official", "both"])
@pytest.mark.parametrize("how", ["strength", "window", "mask", "weight"])
def test_off_is_bit_identical(model, structure, appearance, second, how, rule) -> None:

    entry, settings = appearance, {}
    if how == "strength":
        settings = {"strength": 0.0}
    elif how == "window":
        settings = {"window": world.window(50, 60)}
    elif how == "mask":
        entry = weigh(appearance, mask=torch.zeros(1, 128, 128))
    else:
        entry = weigh(appearance, weight=0.0)
    if rule is not None:
        settings["structure_rule"] = rule
    off = rearrange(model, [entry], None if rule is None else second, **settings)
    assert torch.equal(sample(off, structure, CFG), sample(model, structure, CFG))


@pytest.mark.parametrize("rule", ["official", "both"])
def test_structure_steps_edit_where_the_appearances_paint(model, structure, appearance, second, rule) -> None:
    def entered(**settings):
        patched = rearrange(model, [weigh(appearance, mask=left_half())], second, structure_rule=rule, **settings)
        return entering(patched, structure, cfg=CFG)[0][1].unflatten(1, GRID)

    plain = entering(model, structure, cfg=CFG)[0][1].unflatten(1, GRID)
    inside, everywhere = entered(), entered(structure_everywhere=True)
    assert torch.equal(inside[:, :, 4:], plain[:, :, 4:])
    assert torch.equal(inside[:, :, :4], everywhere[:, :, :4])
    assert (everywhere != plain).any(-1).all()


def test_full_masks_are_no_masks(model, structure, appearance) -> None:
    everywhere = torch.ones(1, 128, 128)
    masked = rearrange(model, [weigh(appearance, mask=everywhere, appearance_mask=everywhere)], structure)
    assert torch.equal(sample(masked, structure), sample(rearrange(model, [appearance], structure), structure))


def test_each_appearance_paints_its_own_positions(model, structure, appearance, second) -> None:
    """At the injection site, two images with a half each are the halves of each of them alone."""
    mask = left_half()
    pair = [weigh(appearance, mask=mask), weigh(second, mask=1 - mask)]
    both, first, other = (
        entering(rearrange(model, entries), structure)[0][0].unflatten(1, GRID)
        for entries in (pair, [appearance], [second])
    )
    assert torch.equal(both[:, :, :4], first[:, :, :4])
    assert torch.equal(both[:, :, 4:], other[:, :, 4:])
    alone = entering(rearrange(model, pair[:1]), structure)[0][0].unflatten(1, GRID)
    assert torch.equal(alone[:, :, 4:], entering(model, structure)[0][0].unflatten(1, GRID)[:, :, 4:])


def test_matches_stay_inside_the_appearance_mask(model, structure, appearance) -> None:
    masked = rearrange(model, [weigh(appearance, appearance_mask=left_half())])
    taken = entering(masked, structure)[0][0][0]
    available = entering(model, appearance)[0][0].unflatten(1, GRID)[0, :, :4].flatten(0, 1)
    assert (taken[:, None] - available).abs().amax(2).amin(1).max() < 1e-4


def test_an_image_as_its_own_appearance_comes_back(model, structure) -> None:
    """At recorded latents every position is its own best match, so nothing changes."""
    same = sample(rearrange(model, [structure], structure), structure)
    assert world.relative(same, sample(model, structure)) < 1e-4


@pytest.mark.parametrize(("inject", "taking"), [("feature", (0, 1, 2)), ("kv", (1, 2)), ("v", (2,))])
def test_only_what_is_injected_changes(model, structure, appearance, inject, taking) -> None:
    plain = entering(model, structure)
    edited = entering(rearrange(model, [appearance], inject=inject), structure)
    full = entering(rearrange(model, [appearance]), structure)
    for i in range(3):
        assert torch.equal(edited[i][0], (full if i in taking else plain)[i][0])
    assert not torch.equal(full[0][0], plain[0][0])


def test_strength_goes_part_of_the_way(model, structure, appearance) -> None:
    plain, part, full = (
        entering(patched, structure)[0][0]
        for patched in (model, rearrange(model, [appearance], strength=0.25), rearrange(model, [appearance]))
    )
    torch.testing.assert_close(part, 0.75 * plain + 0.25 * full)


class TestTextGuidance:
    """Which rows are edited, step 1 being a structure step wherever a structure is connected."""

    def test_only_positive_rows_take_the_appearance(self, model, structure, appearance) -> None:
        plain = entering(model, structure, cfg=CFG)[0]
        edited = entering(rearrange(model, [appearance]), structure, cfg=CFG)[0]
        assert torch.equal(edited[1], plain[1])
        assert not torch.equal(edited[0], plain[0])

    @pytest.mark.parametrize(("rule", "edited"), [("official", {1}), ("both", {0, 1})])
    def test_structure_steps(self, model, structure, appearance, rule, edited) -> None:
        """Rows take the structure's feature under the same prompt, at its recorded latent."""
        guided = world.invert(model, world.latents(1), guidance=CFG)  # replayed at this scale it stands as recorded
        expected = entering(model, guided, cfg=CFG)[0]
        plain = entering(model, structure, cfg=CFG)[0]
        found = entering(rearrange(model, [appearance], guided, structure_rule=rule), structure, cfg=CFG)[0]
        for prompt in (0, 1):
            reference = expected if prompt in edited else plain
            torch.testing.assert_close(found[prompt], reference[prompt], atol=1e-4, rtol=1e-4)

    def test_without_it_the_only_row_takes_the_structure(self, model, structure, appearance) -> None:
        other = world.invert(model, world.latents(4))
        found = entering(rearrange(model, [appearance], other), structure)[0]
        torch.testing.assert_close(found[0], entering(model, other)[0][0], atol=1e-4, rtol=1e-4)

    def test_appearance_guidance_finds_the_run(self, model, structure, appearance) -> None:
        from appearance_transfer.attention.windows import Window
        from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

        patched = rearrange(model, [appearance])
        settings = GuidanceSettings(scale=CFG, end_scale=CFG, window=Window(), every=1)
        ours = world.sample(patched, structure, guider=AppearanceGuider(patched, world.prompt(1), None, settings))
        stock = world.sample(patched, structure, guider=world.stock_guider(patched, cfg=CFG))
        assert world.relative(ours, stock) < SAME


class TestMatches:
    def test_a_wired_correspondence_steers(self, model, structure, appearance) -> None:
        """A forced pair changes the position it is about, and nothing else."""
        plain = rearrange(model, [weigh(appearance, correspondence=identity())])
        forced = rearrange(model, [weigh(appearance, correspondence=identity(moved={10: 53}))])
        before, after = (entering(patched, structure)[0][0][0] for patched in (plain, forced))
        assert (before != after).any(1).nonzero().flatten().tolist() == [10]
        assert torch.equal(after[10], before[53])
        assert not torch.equal(sample(plain, structure), sample(forced, structure))

    def test_positions_without_a_match_are_left_alone(self, model, structure, appearance) -> None:
        nowhere = identity(moved=dict.fromkeys(range(64), -1))
        silent = rearrange(model, [weigh(appearance, correspondence=nowhere)])
        assert torch.equal(sample(silent, structure), sample(model, structure))

    def test_dift_is_computed_once(self, host, structure, appearance) -> None:
        counted = world.small_model()
        counter = world.count_evaluations(counted)
        outputs = {}
        for source in ("self-attention", "dift"):
            before = counter.samples
            outputs[source] = sample(rearrange(counted, [appearance], structure, match_source=source), structure)
            outputs[source, "cost"] = counter.samples - before
        assert world.relative(outputs["dift"], outputs["self-attention"]) > 1e-3
        assert outputs["dift", "cost"] - outputs["self-attention", "cost"] == 16  # an ensemble of 8 for each image

    def test_dift_of_an_image_with_itself_is_the_identity(self, model, structure) -> None:
        same = sample(rearrange(model, [structure], structure, match_source="dift"), structure)
        assert world.relative(same, sample(model, structure)) < 1e-4

    def test_a_batch_by_dift_and_by_wire(self, model, appearance) -> None:
        both = world.invert(model, world.latents(5, 2))
        by_dift = sample(rearrange(model, [appearance], both, match_source="dift"), both)
        one = sample(rearrange(model, [appearance], both.image(1), match_source="dift"), both.image(1))
        assert world.relative(one, by_dift[1:]) < 1e-4
        wired = sample(rearrange(model, [weigh(appearance, correspondence=identity(2))], both), both)
        single = sample(rearrange(model, [weigh(appearance, correspondence=identity())], both), both)
        assert torch.equal(wired, single)


class TestSizes:
    """An appearance of another size: half as wide, with half the tokens of the output."""

    @pytest.fixture(scope="class")
    def narrow(self, model):
        return world.invert(model, world.latents(2)[..., :8], seed=7)

    @pytest.mark.parametrize("source", ["self-attention", "dift"])
    def test_every_position_takes_one_of_its_features(self, model, structure, narrow, source) -> None:
        patched = rearrange(model, [narrow], structure, match_source=source, structure_share=0.0)
        taken = entering(patched, structure)[0][0][0]
        available = entering(model, narrow)[0][0][0]
        assert taken.shape[0] == 64 and available.shape[0] == 32
        assert (taken[:, None] - available).abs().amax(2).amin(1).max() < 1e-4

    def test_its_mask_is_of_its_own_size(self, model, structure, narrow) -> None:
        mask = torch.zeros(1, 16, 8)
        mask[:, :8] = 1
        taken = entering(rearrange(model, [weigh(narrow, appearance_mask=mask)]), structure)[0][0][0]
        available = entering(model, narrow)[0][0][0][:20]  # the upper half of 8 x 4 tokens, and the row that it touches
        assert (taken[:, None] - available).abs().amax(2).amin(1).max() < 1e-4

    def test_wired_matches_count_its_own_positions(self, model, structure, narrow) -> None:
        """Every position of 8x8 takes the place of 8x4 in its row and half its column."""
        from dataclasses import replace

        rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
        index = (rows * 4 + columns // 2)[None, None]
        halved = replace(identity(appearance_image=(128, 64)), index=index, appearance_grid=(8, 4))
        taken = entering(rearrange(model, [weigh(narrow, correspondence=halved)]), structure)[0][0][0]
        available = entering(model, narrow)[0][0][0]
        torch.testing.assert_close(taken, available[index.flatten()], atol=1e-4, rtol=1e-4)

    def test_a_structure_of_another_size_is_refused(self, model, structure, narrow) -> None:
        with pytest.raises(ValueError, match="the inversion connected to structure is 8x16"):
            sample(rearrange(model, [narrow], narrow), structure)
