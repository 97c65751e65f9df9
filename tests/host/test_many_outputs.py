"""Many outputs in one queue: what is common to them is run once per step, counted at the network."""

import pytest
import torch
from appearance_transfer.inversion.defaults import INVERSION_CFG, START_AT, STEPS
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend
from appearance_transfer.tests.host.rearranging import rearrange

SAME = 1e-4  # relative, fp32: rows of a batch of another size
EIGHT = 8


@pytest.fixture(scope="module")
def structures(model):
    return world.invert(model, world.latents(1, EIGHT))


@pytest.mark.parametrize("transfer", [attend, rearrange])
def test_a_batch_of_eight_runs_the_appearance_once_per_step(structures, appearance, transfer) -> None:
    """Of 10 executed steps 9 read a reference: 3 the eight structures, 6 the appearance."""
    model = world.small_model()
    count = world.count_evaluations(model)
    out = world.sample(transfer(model, [appearance], structures), structures)
    assert len(out) == EIGHT
    assert count.samples == 10 * EIGHT + 3 * EIGHT + 6


def test_each_is_as_if_alone(model, structures, appearance) -> None:
    together = world.sample(attend(model, [appearance], structures), structures)
    for image in (0, EIGHT - 1):
        one = structures.image(image)
        alone = world.sample(attend(model, [appearance], one), one)
        assert world.relative(alone, together[image : image + 1]) < SAME


@pytest.mark.parametrize(("side", "planned"), [(1, 46), (2, 132), (4, 424)])
def test_a_grid_inverts_each_structure_once_and_reads_each_image_once_per_step(host, side, planned) -> None:
    """At the defaults: 14 evaluations for each structure, 20 for each pair, 10 for each appearance and 2 for each
    structure that is read (docs/costs.md).
    """
    from appearance_transfer.host.inversion.reference import noised_reference
    from appearance_transfer.host.models.schedules import schedule_of
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.inversion.pairing import every_pair

    model = world.small_model()
    count = world.count_evaluations(model)
    schedule = schedule_of(model, steps=STEPS, start_at=START_AT)
    small = world.latents(1, side)[..., :8, :8]
    settings = {"guidance": INVERSION_CFG, "keep_last_noise": False, "schedule": schedule}
    structures = [world.invert(model, latent[None], **settings) for latent in small]
    texts = world.prompt(1), world.prompt(2)
    appearance = noised_reference(model, world.latents(2, side)[..., :8, :8], *texts, schedule, seed=42)
    pairs = every_pair(structures, [appearance])
    patched = transfer_appearance(model, [Appearance(pairs.appearances)], pairs.structures, CrossImageSettings())
    guider = AppearanceGuider(patched, world.prompt(1), None, GuidanceSettings())
    out = world.sample(patched, pairs.structures, guider=guider)
    assert out.shape == (side * side, 4, 8, 8) and torch.isfinite(out).all()
    assert count.samples == planned <= 800
