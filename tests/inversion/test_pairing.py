"""Every structure with every appearance: which image stands in which row, and what may not stand side by side."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from appearance_transfer.inversion.pairing import every_pair, joined, without_repeats
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.types import Inversion


def inverted(seed: int, images: int = 1, **changes) -> Inversion:
    generator = torch.Generator().manual_seed(seed)
    parts = {
        "trajectory": torch.randn(4, images, 4, 6, 5, generator=generator),
        "noise_maps": torch.randn(3, images, 4, 6, 5, generator=generator),
        "conditioning": {"positive": torch.randn(1, 77, 8, generator=generator), "positive.pooled": torch.ones(1, 3)},
    }
    about = {"schedule": Schedule((3.0, 2.0, 1.0, 0.0)), "eta": 1.0, "guidance": 3.5, "seed": seed, "method": "ddpm"}
    return Inversion(**parts | about | changes)


def with_null_text(seed: int) -> Inversion:
    ddim = {"method": "ddim", "eta": 0.0, "noise_maps": torch.empty(0)}
    found = {"null_text": torch.full((3, 1, 77, 8), float(seed)), "null_text_losses": torch.zeros(3, 1, 2)}
    return inverted(seed, **ddim, **found)


def test_all_appearances_on_the_first_structure_come_first() -> None:
    structures, appearances = [inverted(1), inverted(2)], [inverted(3, images=2), inverted(4)]
    pairs = every_pair(structures, appearances)
    shapes = [structures[0].x0, structures[1].x0]
    latents = [appearances[0].x0[:1], appearances[0].x0[1:], appearances[1].x0]
    assert torch.equal(pairs.structures.x0, torch.cat([shapes[0]] * 3 + [shapes[1]] * 3))
    assert torch.equal(pairs.appearances.x0, torch.cat(latents * 2))
    assert pairs.structures.images == pairs.appearances.images == 6


def test_every_image_brings_its_own_text_and_noise() -> None:
    one, two = inverted(1, images=2), inverted(2)
    both = joined([one, two])
    texts = [inversion.conditioning["positive"] for inversion in (one, one, two)]
    assert torch.equal(both.conditioning["positive"], torch.cat(texts))
    assert torch.equal(both.noise_maps, torch.cat([one.noise_maps, two.noise_maps], 1))
    for part, alone in ((both.select([0, 1]), one), (both.image(2), two)):
        assert torch.equal(part.trajectory, alone.trajectory)
    assert joined([one]) is one


def test_every_entry_of_a_text_goes_along() -> None:
    """A tensor has a row for each image; what is one for all has to be equal."""

    def under(seed: int, width: int, images: int = 1, ids: int = 4) -> Inversion:
        text = {"positive": torch.full((1, 7, 8), float(seed)), "positive.width": width}
        lists = {"positive.ids": torch.tensor([ids, 5]), "positive.refs": (torch.full((1, 3, 2), float(seed)),)}
        return inverted(seed, images, conditioning=text | lists)

    both = joined([under(1, 512, images=2), under(2, 512)]).conditioning
    assert both["positive"][:, 0, 0].tolist() == both["positive.refs"][0][:, 0, 0].tolist() == [1.0, 1.0, 2.0]
    assert both["positive.width"] == 512
    assert both["positive.ids"].tolist() == [4, 5]
    with pytest.raises(ValueError, match="settings of the text"):
        joined([under(1, 512), under(2, 1024)])
    with pytest.raises(ValueError, match="text"):
        joined([under(1, 512), under(2, 512, ids=6)])


def test_null_text_goes_along() -> None:
    both = joined([with_null_text(1), with_null_text(2)])
    assert both.null_text[0, :, 0, 0].tolist() == [1.0, 2.0]
    assert both.null_text_losses.shape == (3, 2, 2)


def test_null_text_of_other_updates_is_refused() -> None:
    shorter = dataclasses.replace(with_null_text(2), null_text_losses=torch.zeros(3, 1, 1))
    with pytest.raises(ValueError, match=r"null text .*: \(3, 2\) and \(3, 1\)"):
        joined([with_null_text(1), shorter])


def test_masks_follow_their_images() -> None:
    masks = torch.arange(2.0)[:, None, None].expand(2, 6, 5)
    pairs = every_pair([inverted(1), inverted(2)], [inverted(3), inverted(4)], masks, masks[1:])
    assert pairs.structure_mask[:, 0, 0].tolist() == [0, 0, 1, 1]
    assert pairs.appearance_mask[:, 0, 0].tolist() == [1, 1, 1, 1]
    everywhere = every_pair([inverted(1)], [inverted(3), inverted(4)])
    assert bool((everywhere.structure_mask == 1).all())
    assert everywhere.appearance_mask.shape == (2, 6, 5)


def test_a_grid_is_told_by_its_distinct_images() -> None:
    pairs = every_pair([inverted(1), inverted(2)], [inverted(3), inverted(4), inverted(5)])
    structures, which = without_repeats(pairs.structures)
    assert (structures.images, which) == (2, [0, 0, 0, 1, 1, 1])
    appearances, which = without_repeats(pairs.appearances)
    assert (appearances.images, which) == (3, [0, 1, 2, 0, 1, 2])
    for distinct, rows in ((structures, pairs.structures), (appearances, pairs.appearances)):
        assert torch.equal(without_repeats(distinct)[0].trajectory, distinct.trajectory)
        assert {tuple(row.flatten().tolist()) for row in distinct.x0} == {tuple(r.flatten().tolist()) for r in rows.x0}


def test_images_that_differ_anywhere_are_not_one() -> None:
    twice = inverted(1).select([0, 0])
    assert without_repeats(twice)[0].images == 1
    later, noise, text = (tensor.clone() for tensor in (twice.trajectory, twice.noise_maps, _texts(twice)))
    later[2, 1, 0, 0, 0] += 1
    noise[1, 1, 0, 0, 0] += 1
    text[1, 0, 0] += 1
    for part in ({"trajectory": later}, {"noise_maps": noise}, {"conditioning": {"positive": text}}):
        distinct, which = without_repeats(dataclasses.replace(twice, **part))
        assert (distinct.images, which) == (2, [0, 1])


def _texts(inversion: Inversion) -> torch.Tensor:
    return inversion.conditioning["positive"].repeat(inversion.images, 1, 1)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"guidance": 1.0}, "guidance: 3.5 and 1.0"),
        ({"schedule": Schedule((4.0, 2.0, 1.0, 0.0))}, "noise levels"),
        ({"fingerprint": {"weights": "another"}}, "model"),
        ({"trajectory": torch.zeros(4, 1, 4, 6, 6), "noise_maps": torch.zeros(3, 1, 4, 6, 6)}, "5x6 and 6x6"),
        ({"conditioning": {"positive": torch.zeros(1, 154, 8)}}, "length of the text"),
        ({"method": "ddim", "eta": 0.0, "noise_maps": torch.empty(0)}, "method: ddpm and ddim"),
    ],
)
def test_images_that_were_not_inverted_alike_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"differ in their .*{sentence}.* Invert all images of a grid"):
        every_pair([inverted(1)], [inverted(2), inverted(3, **changes)])


def test_masks_of_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="appearance_mask holds 3 masks for 2 images"):
        every_pair([inverted(1)], [inverted(2, images=2)], appearance_mask=torch.ones(3, 6, 5))
