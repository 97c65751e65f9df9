"""Objects and matches that are found by a transformer's own features, on tiny networks of every family."""

import pytest
import torch
from appearance_transfer.correspondence.fusion import TRANSFORMER_DRAWS
from appearance_transfer.tests.host.small_world import count_evaluations
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import METHODS, Family, supported

FOUND = 3 * TRANSFORMER_DRAWS  # the structure, and the appearance as it is and mirrored


@pytest.fixture(scope="module", params=TINY)
def family(host, request):
    return Family(request.param)


@pytest.fixture
def counted(family):
    model = family.model.clone()
    return model, count_evaluations(model)


@pytest.mark.parametrize("method", METHODS)
def test_a_transfer_finds_them_once(family, counted, method, caplog) -> None:
    """Beside one evaluation of the output and one of a reference at each level; the same again at the second run."""
    supported(family, method)
    model, counter = counted
    references = {"structure": family.structure, "structure_share": 0.0, "method": method}
    finding = family.transferred([family.appearance], model=model, find=True, **references)
    with caplog.at_level("INFO"):
        first = family.predictions(finding, family.structure.trajectory)
    assert counter.samples == FOUND + 2 * 2
    assert f"{FOUND} evaluations of the model to find objects and matches." in caplog.text
    assert "Connect masks or matches to replace them." in caplog.text
    again = family.predictions(finding, family.structure.trajectory)
    blind = family.predictions(family.transferred([family.appearance], **references), family.structure.trajectory)
    assert all(torch.equal(one[0], other[0]) for one, other in zip(first, again, strict=True))
    assert not all(torch.equal(one[0], other[0]) for one, other in zip(first, blind, strict=True))


def test_match_references_finds_the_same_before_a_run(host, family, counted) -> None:
    model, counter = counted
    node = host.nodes["AppearanceTransfer_MatchReferences"]
    with torch.inference_mode():
        matches, *masks = node.execute(model, family.structure, family.appearance, "field").args
    assert counter.samples == FOUND
    height, width = family.tiny.latent[1:]
    assert matches.structure_image == matches.appearance_image == (height, width)
    assert all(mask.shape == (1, height, width) for mask in masks)
    beforehand = {"mask": masks[0], "appearance_mask": masks[1], "correspondence": matches}
    from appearance_transfer.host.transfer.plan import Appearance

    by_itself, connected = (
        family.predictions(
            family.transferred([entry], structure=family.structure, structure_share=0.0, find=True),
            family.structure.trajectory,
        )
        for entry in (family.appearance, Appearance(family.appearance, **beforehand))
    )
    assert all(torch.equal(one[0], other[0]) for one, other in zip(by_itself, connected, strict=True))


def test_find_object_reads_them(family, counted) -> None:
    from appearance_transfer.host.matching.object_finding import find_objects, object_maps
    from appearance_transfer.host.runtime.latents import framed

    model, counter = counted
    latent = framed(family.tiny.image(1), model.get_model_object("latent_format"))
    with torch.inference_mode():
        maps = object_maps(model, latent, family.tiny.prompt(1), seed=1)
    assert counter.samples == TRANSFORMER_DRAWS
    assert find_objects(torch.rand(1, 64, 64, 3), maps).shape == (1, 64, 64)
    with pytest.raises(ValueError, match="Encode the image with the VAE of this checkpoint"):
        object_maps(model, latent[:, :3], family.tiny.prompt(1), seed=1)


def test_latent_deviation_finds_them(family, caplog) -> None:
    structure, appearance = family.inverted(1), family.noised(2)
    with caplog.at_level("INFO"):
        moved = family.deviated(structure, appearance, matching="found")
    assert f"{FOUND} evaluations of the model to find objects and matches." in caplog.text
    assert moved.isfinite().all()
