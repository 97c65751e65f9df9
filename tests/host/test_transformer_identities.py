"""What has to change nothing, on a tiny network of every family of transformers: each method has settings at which it
is the plain model, or gives the image back that it was given.
"""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.flow_editing import edited
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import METHODS, REARRANGED, Family, supported

ROUNDED = 1e-6  # relative, fp32: the same sums in another order
REPLAYED = 1e-5  # relative: of all steps of a run


@pytest.fixture(scope="module", params=TINY)
def family(host, request):
    return Family(request.param)


@pytest.fixture(scope="module")
def structure(family):
    return family.inverted(1)


@pytest.fixture(scope="module")
def predicted(family):
    """predicted(model): what it predicts, under text guidance, of the structure at two of its levels."""

    def predict(model) -> list[torch.Tensor]:
        levels = family.predictions(model, family.structure.trajectory, cfg=2.0)
        return [side for level in levels for side in level]

    return predict


@pytest.fixture(scope="module")
def plain(family, predicted):
    return predicted(family.model)


def relative(a, b) -> float:
    return noted(float((a - b).abs().max() / b.abs().max()))


def same(found: list[torch.Tensor], expected: list[torch.Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def check_own_state(found: list[torch.Tensor], plain: list[torch.Tensor]) -> None:
    """Positive rows to rounding, negative rows bit by bit."""
    assert relative(torch.cat(found[::2]), torch.cat(plain[::2])) <= ROUNDED
    assert same(found[1::2], plain[1::2])


@pytest.mark.parametrize("method", METHODS)
def test_strength_0_is_the_plain_model(family, predicted, plain, method) -> None:
    supported(family, method)
    assert same(predicted(family.transferred([family.appearance], method=method, strength=0.0)), plain)


def test_strength_0_of_what_flow_edit_reads_leaves_the_image(family, caplog) -> None:
    image = family.tiny.image(1)
    nothing = family.transferred([family.appearance], strength=0.0)
    assert relative(edited(family, nothing, image), image) <= ROUNDED
    assert "the transfer on the MODEL has strength 0" in caplog.text


def test_width_0_of_the_match_prior_is_no_prior(family, predicted) -> None:
    """And a width is one."""
    from appearance_transfer.host.transfer.plan import Appearance

    matched = Appearance(family.appearance, correspondence=family.identity_match())
    without = predicted(family.transferred([family.appearance]))
    assert same(predicted(family.transferred([matched], match_width=0.0)), without)
    assert not same(predicted(family.transferred([matched])), without)


@pytest.mark.parametrize("settings", [{}, {"sharing": "balanced", "strength": 0.3}])
def test_attention_to_the_own_state(family, predicted, plain, settings) -> None:
    """With a text of another length on the other side, and contrast off, which alone would change it."""
    check_own_state(predicted(family.transferred([family.structure], **settings)), plain)


@pytest.mark.parametrize("inject", ["feature", "kv"])
def test_rearrangement_by_the_identity_match(family, predicted, plain, inject) -> None:
    from appearance_transfer.host.transfer.plan import Appearance

    supported(family, "rearrangement")
    own = Appearance(family.structure, correspondence=family.identity_match())
    check_own_state(predicted(family.transferred([own], method="rearrangement", inject=inject)), plain)


def test_rearrangement_of_the_own_state_matched_by_itself(family, predicted, plain) -> None:
    supported(family, "rearrangement")
    check_own_state(predicted(family.transferred([family.structure], method="rearrangement")), plain)


def test_columns_turned_around_of_an_image_that_is_its_own_mirror_image(family, predicted) -> None:
    """In the first block, whose tokens know nothing of one another yet; of another image it changes the output."""
    if not any(family.tiny is TINY[name] for name in REARRANGED):
        pytest.skip("Nothing is rotated, or tokens have met before the blocks.")
    alike = replace(family.appearance, trajectory=symmetric(family.appearance.trajectory))
    plain, mirrored, other_plain, other_mirrored = (
        torch.cat(predicted(family.transferred([reference], blocks="0", mirror_columns=mirror_columns)))
        for reference in (alike, family.appearance)
        for mirror_columns in (False, True)
    )
    assert relative(mirrored, plain) <= REPLAYED
    assert relative(other_mirrored, other_plain) > 10 * REPLAYED


def symmetric(latents: torch.Tensor) -> torch.Tensor:
    """Latents [..., h, w] that are their own mirror images, and the same all over a token of 2 x 2."""
    flat = latents.flatten(0, -4)
    tokens = torch.nn.functional.avg_pool2d(flat + flat.flip(-1), 2)
    return tokens.repeat_interleave(2, -2).repeat_interleave(2, -1).view_as(latents)


def test_latent_deviation_by_the_identity_match_is_the_replay(family, structure) -> None:
    """Toward what the model takes the structure itself for, at the same place."""
    deviated = family.deviated(structure, structure, matching="initial", correspondence=family.identity_match())
    assert relative(deviated, family.tiny.image(1)) <= REPLAYED


def test_latent_deviation_by_0_is_the_replay(family, structure) -> None:
    deviated = family.deviated(structure, family.noised(2), delta=0.0)
    assert relative(deviated, family.tiny.image(1)) <= REPLAYED


@pytest.mark.parametrize("cfg", [1.0, 2.5])
def test_flow_edit_between_the_same_texts_gives_the_image_back(family, cfg) -> None:
    """With guidance it goes through other code than the guider's, and is the same to rounding."""
    image, text = family.tiny.image(1), family.tiny.prompt(1)
    assert relative(edited(family, family.model, image, cfg=cfg, source=text, source_cfg=cfg), image) <= REPLAYED
