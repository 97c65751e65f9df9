"""What is left of a block's input without its massive channels."""

import torch
from appearance_transfer.correspondence.hidden_state import (
    centered,
    massive_channels,
    modulation,
    without_massive_channels,
)
from torch.nn.functional import layer_norm

CHANNELS = 24


def normalized(x: torch.Tensor) -> torch.Tensor:
    return layer_norm(x, x.shape[-1:], eps=1e-6)


def tokens(images: int = 2, massive: tuple[int, ...] = (), seed: int = 0) -> torch.Tensor:
    x = torch.randn(images, 40, CHANNELS, generator=torch.Generator().manual_seed(seed))
    x[..., list(massive)] = 300.0 + x[..., list(massive)]
    return x


def test_massive_channels_are_found_image_by_image() -> None:
    both = torch.cat([tokens(1, massive=(3, 7)), tokens(1)])
    found = massive_channels(both)
    assert found[0].nonzero().flatten().tolist() == [3, 7]
    assert not found[1].any()


def test_a_channel_has_to_be_far_above_the_others() -> None:
    x = tokens()
    x[..., 5] *= 20
    assert not massive_channels(x).any()
    assert massive_channels(x, factor=10)[:, 5].all()


def test_the_modulation_is_found_again() -> None:
    x = normalized(tokens())
    draw = torch.Generator().manual_seed(1)
    gain, shift = (torch.randn(2, 1, CHANNELS, generator=draw) for _ in range(2))
    found = modulation(x, x * gain + shift)
    torch.testing.assert_close(found, (gain, shift), rtol=1e-4, atol=1e-4)


def test_a_channel_that_is_the_same_everywhere_has_a_shift_alone() -> None:
    x = normalized(tokens())
    x[..., 4] = 1.5
    gain, shift = modulation(x, 2 * x + 1)
    assert gain[..., 4].eq(0).all()
    assert shift[..., 4].eq(4).all()


def test_centered_features_have_no_mean() -> None:
    values = torch.randn(2, 5, 4, 6, generator=torch.Generator().manual_seed(0)) + 3
    found = centered(values)
    torch.testing.assert_close(found.mean(dim=(2, 3)), torch.zeros(2, 5), rtol=0, atol=1e-6)
    torch.testing.assert_close(centered(values + 7), found, rtol=1e-4, atol=1e-5)


def test_without_massive_channels_nothing_changes() -> None:
    x = tokens()
    modulated = normalized(x) * 2 + 1
    features, zeroed = without_massive_channels(x, modulated, normalized)
    assert torch.equal(features, modulated)
    assert zeroed == 0


def test_features_are_those_of_tokens_that_never_had_them() -> None:
    """The rest is normalized among itself, and modulated as the block does. Channel 2 hardly varied beside the others
    before it was zeroed, so its gain is known to fewer digits.
    """
    x, draw = tokens(massive=(2,)), torch.Generator().manual_seed(2)
    gain, shift = 0.5 + torch.rand(CHANNELS, generator=draw), torch.rand(CHANNELS, generator=draw)
    features, zeroed = without_massive_channels(x, normalized(x) * gain + shift, normalized)
    expected = normalized(x.index_fill(2, torch.tensor([2]), 0.0)) * gain + shift
    assert zeroed == 1
    others = [channel for channel in range(CHANNELS) if channel != 2]
    torch.testing.assert_close(features[..., others], expected[..., others], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(features[..., 2], expected[..., 2], rtol=0, atol=0.05)


def test_they_tell_positions_apart_again() -> None:
    """One channel of 300 hides the others: without it, the cosines of positions spread."""

    def alike(features: torch.Tensor) -> float:
        directions = torch.nn.functional.normalize(features[0], dim=1)
        return float((directions @ directions.T).mean())

    x = tokens(massive=(2,))
    features, _ = without_massive_channels(x, normalized(x), normalized)
    assert alike(x) > 0.99
    assert alike(features) < 0.2


def test_an_image_beside_one_with_massive_channels_is_as_it_is_alone() -> None:
    plain, other = tokens(1), tokens(1, massive=(3,), seed=1)
    both = torch.cat([plain, other])
    features, _ = without_massive_channels(both, normalized(both), normalized)
    assert torch.equal(features[:1], normalized(plain))
