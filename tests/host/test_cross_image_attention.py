"""Cross-Image Attention as a patch of a MODEL: what it must change, leave alone, and leave behind."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend, first_edited_attention


def test_it_changes_the_image(model, structure, appearance) -> None:
    plain = world.sample(model, structure)
    transferred = world.sample(attend(model, [appearance], structure), structure)
    assert world.relative(transferred, plain) > 0.05


@pytest.mark.parametrize("with_structure", [False, True], ids=["alone", "with a structure"])
@pytest.mark.parametrize("how", ["strength", "window", "mask", "weight"])
def test_off_is_bit_identical(model, structure, appearance, how, with_structure) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    entry, settings = appearance, {}
    if how == "strength":
        settings = {"strength": 0.0}
    elif how == "window":
        settings = {"window": world.window(50, 60)}
    elif how == "mask":
        entry = Appearance(appearance, mask=torch.zeros(1, 128, 128))
    else:
        entry = Appearance(appearance, weight=0.0)
    off = attend(model, [entry], structure if with_structure else None, **settings)
    assert torch.equal(world.sample(off, structure), world.sample(model, structure))


def test_structure_steps_edit_where_the_appearances_paint(model, structure, appearance) -> None:
    """At the first structure step, inside the mask of any appearance and as far as the weights go."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    other = world.invert(model, world.latents(4))
    first, second = torch.zeros(1, 16, 16), torch.zeros(1, 16, 16)
    first[:, :, :4], second[:, :, 12:] = 1, 1
    painted = [Appearance(appearance, mask=first), Appearance(appearance, 0.5, mask=second)]
    plain = first_edited_attention(model, structure)
    whole = first_edited_attention(attend(model, [appearance], other), structure)
    edited = first_edited_attention(attend(model, painted, other), structure)
    assert torch.equal(edited[:, :, 2:6], plain[:, :, 2:6])
    torch.testing.assert_close(edited[:, :, :2], whole[:, :, :2])
    torch.testing.assert_close(edited[:, :, 6:], (plain + whole)[:, :, 6:] / 2)
    everywhere = first_edited_attention(attend(model, painted, other, structure_everywhere=True), structure)
    torch.testing.assert_close(everywhere, whole)


def test_a_full_mask_is_no_mask(model, structure, appearance) -> None:
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    masked = attend(model, [Appearance(appearance, mask=torch.ones(1, 128, 128))], structure)
    assert torch.equal(world.sample(masked, structure), world.sample(attend(model, [appearance], structure), structure))


def test_half_a_mask_edits_half_the_tokens(model, structure, appearance) -> None:
    """At the injection site: the first edited layer of the first open step differs inside the mask only."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    plain = first_edited_attention(model, structure)
    half = first_edited_attention(attend(model, [Appearance(appearance, mask=mask)]), structure)
    assert torch.equal(half[:, :, 4:], plain[:, :, 4:])
    assert (half[:, :, :4] != plain[:, :, :4]).any(-1).all()


def test_an_image_as_its_own_appearance_comes_back(model, structure) -> None:
    """At recorded latents the reference has the keys and values of the output, so nothing changes (contrast off)."""
    same = world.sample(attend(model, [structure], structure, contrast=1.0), structure)
    assert world.relative(same, world.sample(model, structure)) < 1e-4


def test_requeue_is_bit_identical_and_leaves_nothing(model, structure, appearance) -> None:
    transferred = attend(model, [appearance], structure)
    first = world.sample(transferred, structure)
    assert not world.runs_of(transferred)
    assert torch.equal(world.sample(transferred, structure), first)


def test_clones_of_one_model_do_not_see_each_other(model, structure, appearance) -> None:
    plain = world.sample(model, structure)
    weak = attend(model, [appearance], strength=0.5)
    strong = attend(model, [appearance], structure)
    first = world.sample(strong, structure)
    other = world.sample(weak, structure)
    assert not torch.equal(first, other)
    assert torch.equal(world.sample(strong, structure), first)
    assert torch.equal(world.sample(model, structure), plain)


@pytest.mark.parametrize("references", ["recorded", "replayed"])
def test_an_interrupted_run_leaves_no_trace(model, structure, appearance, references) -> None:
    from comfy.model_management import InterruptProcessingException

    def interrupt(latent, sigma, **_):
        if structure.schedule.index_of(sigma) == 4:
            raise InterruptProcessingException
        return latent

    transferred = attend(model, [appearance], structure, replayed=references == "replayed")
    first = world.sample(transferred, structure)
    with pytest.raises(InterruptProcessingException):
        world.sample(transferred, structure, between_steps=interrupt)
    assert not world.runs_of(transferred)
    assert torch.equal(world.sample(transferred, structure), first)


def test_two_references_share_positions(model, structure, appearance) -> None:
    """Twice the same reference is that reference; a lone weight below 1 leaves the rest to the output."""
    from appearance_transfer.host.transfer.cross_image_attention import Appearance

    once = world.sample(attend(model, [appearance]), structure)
    twice = world.sample(attend(model, [Appearance(appearance, 2.0), Appearance(appearance, 5.0)]), structure)
    assert world.relative(twice, once) < 1e-4
    plain = world.sample(model, structure)
    weak = world.sample(attend(model, [Appearance(appearance, 0.2)]), structure)
    assert 0 < (weak - plain).abs().mean() < 0.6 * (once - plain).abs().mean()
