"""On photographs and with real networks, measures find what anyone can see."""

import pytest
import torch
from appearance_transfer.benchmarks.photographs import IMAGES, square
from appearance_transfer.benchmarks.photographs.distortions import DISTORTIONS
from appearance_transfer.benchmarks.photographs.measures import measures
from appearance_transfer.benchmarks.photographs.orders import Order, orders

PERFECT = {"PSNR": torch.inf, "SSIM": 1.0, "IoU of the foreground": 1.0, "IoU of SAM masks": 1.0}
GROWS = {  # measure -> the distortions that it must follow, step by step
    "LPIPS": ("blur", "noise", "shift", "hue"),
    "Gram distance": ("blur", "noise"),
    "structure distance": ("blur", "noise", "shift"),
    "color histogram distance": ("noise", "hue"),
    "PSNR": ("blur", "noise", "shift", "hue"),
    "SSIM": ("blur", "noise", "shift"),
    "IoU of the foreground": ("shift",),
    "IoU of SAM masks": ("blur", "noise", "shift"),
}
STRIPES_THAT_LEAN = 1
"""Gram matrices know directions: one crop of the zebra is nearer to other things than to its upright stripes."""


@pytest.fixture(scope="module")
def values(networks, photographs) -> dict[str, dict[str, list[float]]]:
    """distortion -> measure -> a value for the untouched giraffe, then one for every amount."""
    image = square(IMAGES / "giraffe.png", 224)
    known = measures(networks)
    with torch.inference_mode():
        rows = {name: torch.cat([image, distortion(image)]) for name, distortion in DISTORTIONS.items()}
        return {
            name: {measure: compare(images, image).tolist() for measure, compare in known.items()}
            for name, images in rows.items()
        }


@pytest.fixture(scope="module")
def found(networks, photographs) -> list[Order]:
    with torch.inference_mode():
        return list(orders(measures(networks)))


def test_an_image_is_like_itself(values) -> None:
    for measure, found in values["blur"].items():
        assert found[0] == pytest.approx(PERFECT.get(measure, 0.0), abs=1e-5)


@pytest.mark.parametrize(("measure", "distortion"), [(m, d) for m, names in GROWS.items() for d in names])
def test_the_more_an_image_is_degraded_the_worse_the_number(values, measure: str, distortion: str) -> None:
    found = values[distortion][measure]
    assert found == sorted(found, reverse=measure in PERFECT)
    assert len(set(found)) == len(found)


def test_what_a_measure_is_blind_to_by_design(values) -> None:
    """Textures and colors stay where an image is shifted; its gray light stays where hues turn."""
    for measure in ("Gram distance", "color histogram distance"):
        assert values["shift"][measure][2] < 0.5 * values["blur"][measure][2]
    assert values["hue"]["structure distance"][-1] < values["blur"]["structure distance"][-1]


def test_the_nearer_image_is_the_nearer_number(found) -> None:
    assert len(found) == 7
    wrong = {(order.measure, case) for order in found for case, right in enumerate(order.right) if not right}
    assert wrong == {("Gram distance", STRIPES_THAT_LEAN)}
