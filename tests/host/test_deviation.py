"""Latent Deviation as a SAMPLER: the paper's step on a real run, and where it must change nothing."""

import logging

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.deviating import (
    ENSEMBLE,
    FIRST,
    LAST,
    OFF,
    STEPS,
    by_the_paper,
    identity,
    invert,
    plain,
    sample,
    warped_values,
    x0_of,
)


@pytest.fixture(scope="module", params=["EPS", "V_PREDICTION"])
def either_model(host, request):
    return world.small_model(prediction=request.param)


@pytest.fixture(scope="module")
def structure(model):
    return invert(model, world.latents(1))


@pytest.fixture(scope="module")
def appearance(model):
    return invert(model, world.latents(2), positive=3)


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_run_is_the_papers_loop(either_model, cfg) -> None:
    """Relative 1e-4 in fp32, for eps and v models, with a soft mask."""
    structure, appearance = invert(either_model, world.latents(1)), invert(either_model, world.latents(2), positive=3)
    mask = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(4))
    ours = sample(either_model, structure, appearance, cfg=cfg, mask=mask)
    expected = by_the_paper(either_model, structure, appearance, cfg, mask[:, None])
    assert world.relative(ours, expected) < 1e-4
    assert world.relative(ours, plain(either_model, structure, cfg)) > 0.02


@pytest.mark.parametrize("how", OFF)
def test_off_is_the_plain_replay_bit_by_bit_and_costs_nothing(model, structure, appearance, how, caplog) -> None:
    clone = model.clone()
    counter = world.count_evaluations(clone)
    with caplog.at_level(logging.WARNING):
        out = sample(clone, structure, appearance, matching="progressive", **OFF[how])
    assert torch.equal(out, plain(model, structure))
    assert counter.samples == STEPS
    assert "Latent Deviation has no effect" in caplog.text


def test_outside_the_mask_the_step_itself_is_the_plain_one(model, structure, appearance) -> None:
    """Bit by bit at the deviated step; later steps see the whole image."""
    mask = torch.zeros(1, 16, 16)
    mask[:, :, 8:] = 1
    half = warped_values(model, structure, appearance, mask=mask)
    own = warped_values(model, structure, appearance, mask=torch.zeros_like(mask))
    assert torch.equal(half[..., 8:], warped_values(model, structure, appearance)[..., 8:])
    assert torch.equal(half[..., :8], own[..., :8])


def test_the_appearance_is_seen_as_recorded_under_its_own_text(model, structure, appearance) -> None:
    warped = warped_values(model, structure, appearance)
    assert world.relative(warped, x0_of(model, appearance, FIRST, world.prompt(3))) < 1e-5
    assert world.relative(warped, x0_of(model, appearance, FIRST, world.prompt(1))) > 1e-3


def test_matches_can_be_wired_in(model, structure, appearance) -> None:
    """The identity is no matching at all, on any grid; a mirrored one mirrors what is carried."""
    from dataclasses import replace

    overlaid = warped_values(model, structure, appearance)
    for grid in ((16, 16), (8, 8)):
        matches = identity(grid=grid)
        wired = warped_values(model, structure, appearance, matching="progressive", correspondence=matches)
        assert torch.equal(wired, overlaid)
    mirrored = replace(identity(), index=identity().index.flip(-1))
    warped = warped_values(model, structure, appearance, correspondence=mirrored)
    assert world.relative(warped, overlaid.flip(-1)) < 1e-6  # D + (C - D), and each position has its own D


def test_where_nothing_matches_the_structure_stays(model, structure, appearance) -> None:
    from dataclasses import replace

    index = identity().index.clone()
    index[..., :8] = -1
    matches = replace(identity(), index=index, weight=(index >= 0).float())
    warped = warped_values(model, structure, appearance, correspondence=matches)
    overlaid = warped_values(model, structure, appearance)
    own = warped_values(model, structure, appearance, mask=torch.zeros(1, 16, 16))
    assert torch.equal(warped[..., 8:], overlaid[..., 8:])
    assert torch.equal(warped[..., :8], own[..., :8])


@pytest.mark.parametrize("matching", ["progressive", "initial"])
def test_an_image_matches_itself(model, structure, matching) -> None:
    """In a run, the same latents and noise, so every position finds itself, and its x0 lies where it
    was.
    """
    warped = warped_values(model, structure, structure, step=0, matching=matching)
    overlaid = warped_values(model, structure, structure, step=0)
    assert world.relative(warped, overlaid) < 1e-5


def test_the_appearance_mask_limits_what_is_carried(model, structure, appearance) -> None:
    """One position allowed: it is everywhere."""
    key_mask = torch.zeros(1, 16, 16)
    key_mask[0, 5, 9] = 1
    for matching in ("progressive", "initial"):
        warped = warped_values(model, structure, appearance, matching=matching, appearance_mask=key_mask)
        estimate = x0_of(model, appearance, FIRST, world.prompt(3))[..., 5:6, 9:10]
        assert world.relative(warped, estimate.expand_as(warped)) < 1e-5


@pytest.mark.parametrize(
    ("matching", "extra"),
    [("none", 0), ("initial", 2 * ENSEMBLE), ("progressive", 2 * ENSEMBLE * (LAST - FIRST + 1))],
)
def test_cost(model, structure, appearance, matching, extra) -> None:
    """Every step guided; each of the window once more guided and once the appearance; and the draws of DIFT."""
    clone = model.clone()
    counter = world.count_evaluations(clone)
    sample(clone, structure, appearance, cfg=4.0, matching=matching)
    window = LAST - FIRST + 1
    assert counter.samples == 2 * (STEPS + window) + window + extra
