"""Both images of a pair change alike; noise, colors and crops stay within what is said."""

import colorsys

import pytest
import torch
from appearance_transfer.distillation import augmentation
from appearance_transfer.distillation.augmentation import augmented
from appearance_transfer.distillation.rng import seeded_rng

CPU = torch.device("cpu")


def images(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def only(monkeypatch):
    """Switch all changes off but the named one."""

    def choose(name: str | None) -> None:
        for change, none in (("BRIGHTNESS", 0), ("CONTRAST", 0), ("SATURATION", 0), ("HUE", 0), ("NOISE", 0)):
            if change != name:
                monkeypatch.setattr(augmentation, change, none)
        if name != "SMALLEST_CROP":
            monkeypatch.setattr(augmentation, "SMALLEST_CROP", 1.0)

    return choose


def test_both_images_change_alike_and_pairs_differ() -> None:
    same = images(1).expand(3, -1, -1, -1)
    with seeded_rng(1, device=CPU):
        before, after = augmented(same, same)
    assert torch.equal(before, after)
    assert not torch.allclose(before[0], before[1])
    assert 0 <= before.min() <= before.max() <= 1


def test_without_changes_it_is_the_image(only) -> None:
    only(None)
    before, after = augmented(images(), images(seed=1))
    torch.testing.assert_close(before, images(), atol=1e-5, rtol=0)
    torch.testing.assert_close(after, images(seed=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("change", ["BRIGHTNESS", "CONTRAST", "SATURATION", "HUE", "NOISE", "SMALLEST_CROP"])
def test_every_change_changes(change, only) -> None:
    only(change)
    before, _ = augmented(images(), images())
    assert all((new - old).abs().max() > 1e-3 for new, old in zip(before, images(), strict=True))


def test_saturation_and_hue_leave_gray_alone(only, monkeypatch) -> None:
    only("SATURATION")
    monkeypatch.setattr(augmentation, "HUE", 0.3)
    gray = torch.full((4, 3, 64, 64), 0.4)
    before, _ = augmented(gray, gray)
    torch.testing.assert_close(before, gray, atol=1e-5, rtol=0)


def test_a_third_of_the_color_circle_makes_green_of_red() -> None:
    flipped = augmentation._turns(torch.tensor([2 * torch.pi / 3]))[0] @ torch.tensor([0.8, 0.1, 0.1])
    assert colorsys.rgb_to_hsv(*flipped.tolist())[0] == pytest.approx(1 / 3, abs=1e-5)


def test_crops_are_large_and_anywhere(only) -> None:
    """An image of its own coordinates tells where each crop comes from."""
    only("SMALLEST_CROP")
    ramp = (torch.arange(64) + 0.5) / 64
    across, down = torch.meshgrid(ramp, ramp, indexing="xy")
    positions = torch.stack([across, down, across]).expand(200, -1, -1, -1)
    before, _ = augmented(positions, positions)
    widths = (before[:, 0, 0, -1] - before[:, 0, 0, 0]) * 64 / 63
    assert 0.89 < widths.min() < 0.93
    assert 0.97 < widths.max() < 1.01
    middles = before[:, :2, 31:33, 31:33].mean((2, 3))
    assert (middles - 0.5).abs().max() < 0.051
    assert (middles - 0.5).std(0).min() > 0.01


def test_drawing_hangs_on_the_seeds_only_and_leaves_no_trace() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded_rng(2**64 - 1, 7, device=CPU):
        first = torch.rand(4)
    assert torch.equal(torch.rand(3), expected)
    with seeded_rng(2**64 - 1, 7, device=CPU):
        assert torch.equal(torch.rand(4), first)
    with seeded_rng(2**64 - 1, 8, device=CPU):
        assert not torch.equal(torch.rand(4), first)
