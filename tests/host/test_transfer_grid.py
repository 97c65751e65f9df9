"""A grid of transfers in one batch: the images are those of the pairs one by one, and each reference is run once."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

PAIRS = [(s, a) for s in range(2) for a in range(3)]
SAME = 1e-4  # relative, fp32: rows of a batch of another size


@pytest.fixture(scope="module")
def structures(model):
    return [world.invert(model, world.latents(seed)) for seed in (1, 2)]


@pytest.fixture(scope="module")
def appearances(model):
    """Two images that were inverted together, and one alone."""
    return [world.invert(model, world.latents(3, 2), seed=7), world.invert(model, world.latents(5), seed=9)]


@pytest.fixture(scope="module")
def grid(host, structures, appearances):
    """What the node hands out: structures, appearances, positive, structure_mask, appearance_mask."""
    masks = torch.zeros(2, 128, 128)
    masks[0, :64], masks[1, :, 64:] = 1, 1
    node = host.nodes["AppearanceTransfer_TransferGrid"]
    named = {
        "structures": {f"structure{i}": inversion for i, inversion in enumerate(structures)},
        "appearances": {f"appearance{i}": inversion for i, inversion in enumerate(appearances)},
    }
    return node.execute(**named, structure_mask=masks).args


def transferred(model, appearance, structure, positive, masks=None, *, rearranged=False, **settings):
    """The main job with all its parts: transfer, appearance guidance, AdaIN."""
    from appearance_transfer.attention.windows import Window
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
    from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    transfer = rearrange_appearance if rearranged else transfer_appearance
    parameters = world.rearrangement_settings if rearranged else world.transfer_settings
    patched = transfer(model, [Appearance(appearance)], structure, parameters(**settings))
    guider = AppearanceGuider(patched, positive, None, GuidanceSettings(window=Window(), every=1))
    adain = AdaINOperation(appearance, *(masks or (None, None)), world.window(2, 99))
    return world.sample(patched, structure, guider=guider, between_steps=adain)


@pytest.mark.parametrize(
    "settings", [{}, {"replayed": True}, {"rearranged": True}], ids=["recorded", "replayed", "rearranged"]
)
def test_it_is_its_pairs(model, grid, structures, appearances, settings) -> None:
    pairs, grid_appearances, positive, *masks = grid
    together = transferred(model, grid_appearances, pairs, positive, masks, **settings)
    singles = [appearances[0].image(0), appearances[0].image(1), appearances[1]]
    for row, (s, a) in enumerate(PAIRS):
        mask = masks[0][row : row + 1], None
        alone = transferred(model, singles[a], structures[s], world.prompt(1), mask, **settings)
        assert world.relative(together[row : row + 1], alone) < SAME


def test_the_appearances_may_have_another_size_than_the_structures(host, model, structures) -> None:
    """All of them; one aspect ratio of two is refused, with what to do."""
    node = host.nodes["AppearanceTransfer_TransferGrid"]
    named = {f"structure{i}": inversion for i, inversion in enumerate(structures)}
    narrow = [world.invert(model, world.latents(seed)[..., :8], seed=7) for seed in (3, 5)]
    across = {f"reference{i}": inversion for i, inversion in enumerate(narrow)}
    pairs, appearances, positive, *masks = node.execute(structures=named, appearances=across).args
    assert masks[1].shape == (4, 16, 8)
    together = transferred(model, appearances, pairs, positive, masks)
    alone = transferred(model, narrow[1], structures[0], world.prompt(1))
    assert world.relative(together[1:2], alone) < SAME
    wide = {"reference0": narrow[0], "reference1": structures[0]}
    with pytest.raises(ValueError, match="differ in their size"):
        node.execute(structures=named, appearances=wide)


def test_each_reference_is_run_once_per_step(host, structures, appearances) -> None:
    """Of 10 executed steps 9 read a reference: the structures on steps 1, 5 and 9, the appearances on the others."""
    model = world.small_model()
    from appearance_transfer.inversion.pairing import every_pair

    pairs = every_pair(structures, appearances)
    counter = world.count_evaluations(model)
    transferred(model, pairs.appearances, pairs.structures, world.prompt(1))
    outputs, same_graphs = 6 * 10, 6 * 9
    assert counter.samples == outputs + same_graphs + 3 * len(structures) + 6 * 3


def test_every_row_has_its_own_text(model, grid, structures) -> None:
    positive = grid[2]
    assert positive[0][0].shape == (6, 77, 16)
    assert torch.equal(positive[0][0][0], world.prompt(1)[0][0][0])


def test_latent_deviation_takes_a_grid(model, grid) -> None:
    from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings

    pairs, grid_appearances, *_ = grid
    settings = DeviationSettings(window=world.window(2, 3), matching="none")
    deviated = DeviationSampler(pairs, grid_appearances, settings)
    out = world.sample(model, pairs, sampler=deviated)
    single = DeviationSampler(pairs.image(4), grid_appearances.image(4), settings)
    assert world.relative(out[4:5], world.sample(model, pairs.image(4), sampler=single)) < SAME


def test_a_grid_is_drawn_with_its_images(host) -> None:
    shades = torch.arange(11) / 10
    images = shades[:, None, None, None].expand(11, 16, 16, 3)
    node = host.nodes["AppearanceTransfer_DrawGrid"]
    displayed = node.execute(images[:2], images[2:5], images[5:], "fur\ntin\n\nmoss\n", 32)
    (sheet,) = displayed.args
    across, down = sheet.shape[2] // 4, (sheet.shape[1] - 40) // 3
    positions = [(40 + row * down + 16, column * across + 16) for row in range(3) for column in range(4)]
    found = [float(sheet[0, y, x, 0]) for y, x in positions]
    expected = [1, *shades[2:5], shades[0], *shades[5:8], shades[1], *shades[8:]]
    assert found == pytest.approx([float(shade) for shade in expected], abs=1 / 255)
