"""What an object was found by, in a file: another click finds the same as in the whole image."""

import pytest
import torch
from appearance_transfer.objects.evidence import ObjectEvidence, encode, load
from appearance_transfer.objects.find import Clicks, find_object
from torch import Tensor

CLICKS = [Clicks(), Clicks(objects=((0.3, 0.3),)), Clicks(background=((0.5, 0.5), (0.1, 0.9)))]


def scene() -> tuple[list[Tensor], Tensor, Tensor]:
    """Maps on two grids, one finer than what is ranked; an image larger than what is walked over; a hint."""
    generator = torch.Generator().manual_seed(0)
    coarse, fine = torch.randn(6, 9, 12, generator=generator), torch.randn(4, 36, 48, generator=generator)
    image = torch.rand(150, 200, 3, generator=generator)
    image[40:110, 60:140] *= 0.3
    return [coarse.half(), fine], image, torch.rand(150, 200, generator=generator)


@pytest.mark.parametrize("hinted", [False, True])
@pytest.mark.parametrize("clicks", CLICKS)
def test_the_object_is_bit_by_bit_that_of_the_whole_image(tmp_path, clicks, hinted) -> None:
    maps, image, hint = scene()
    hint = hint if hinted else None
    path = tmp_path / "evidence.safetensors"
    path.write_bytes(encode(ObjectEvidence.of(maps, image, hint)))
    whole, kept = find_object(maps, image, clicks=clicks, hint=hint), load(path).find(clicks)
    assert torch.equal(kept.mask, whole.mask)
    assert (kept.certainty, kept.complement) == (whole.certainty, whole.complement)
    assert load(path).image == (150, 200)


def test_it_is_small() -> None:
    maps = [torch.randn(64, 64, 64), torch.randn(32, 16, 16)]
    content = encode(ObjectEvidence.of(maps, torch.rand(1024, 1024, 3), torch.rand(1024, 1024)))
    assert len(content) < 4 * (96 * 1024 + 3 * 128 * 128 + 1024) + 4096


def test_a_file_without_maps_is_refused(tmp_path) -> None:
    path = tmp_path / "evidence.safetensors"
    path.write_bytes(encode(ObjectEvidence((), torch.rand(8, 8, 3), (8, 8))))
    with pytest.raises(ValueError, match="lacks maps"):
        load(path)
