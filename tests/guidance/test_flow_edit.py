"""FlowEdit's arithmetic on predictions that are known."""

import pytest
import torch
from appearance_transfer.guidance.flow_edit import flow_edit

SIGMAS = [0.8, 0.5, 0.2, 0.0]


def image_and_noised(seed: int = 0):
    """An image, and what puts new noise on it, which keeps its draws."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randn(2, 4, 6, 6, generator=generator)
    drawn: list[torch.Tensor] = []

    def noised(sigma: float) -> torch.Tensor:
        drawn.append((1 - sigma) * image + sigma * torch.randn(image.shape, generator=generator))
        return drawn[-1]

    return image, noised, drawn


def test_what_both_predict_stays() -> None:
    image, noised, _ = image_and_noised()
    edited = flow_edit(lambda x, sigma: 0.3 * x, lambda x, sigma: 0.3 * x, noised, image, SIGMAS)
    assert torch.equal(edited, image)


def test_a_constant_difference_arrives_whole() -> None:
    """The image follows the flow of its change: a kept of 1 - sigma_last / sigma_first on the way, all of it at 0."""
    image, noised, _ = image_and_noised()
    change = torch.ones_like(image)

    def edited(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return x.new_zeros(x.shape) + change

    def plain(x: torch.Tensor, sigma: float) -> torch.Tensor:
        return x.new_zeros(x.shape)

    assert torch.allclose(flow_edit(edited, plain, noised, image, SIGMAS), image + change, atol=1e-6)
    halfway = flow_edit(edited, plain, noised, image, SIGMAS[:3])
    assert torch.allclose(halfway, image + (1 - 0.2 / 0.8) * change, atol=1e-6)


def test_both_see_the_same_noise_which_is_new_at_every_step() -> None:
    image, noised, drawn = image_and_noised()
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    asked = []

    def edited(x: torch.Tensor, sigma: float) -> torch.Tensor:
        asked.append(x)
        return x + 1

    def plain(x: torch.Tensor, sigma: float) -> torch.Tensor:
        seen.append((asked[-1], x))
        return x

    steps: list[int] = []
    flow_edit(edited, plain, noised, image, SIGMAS, on_step=lambda i, estimate: steps.append(i))
    assert steps == [0, 1, 2]
    assert torch.equal(seen[0][0], seen[0][1])  # nothing has been changed by then
    for (_, source), draw in zip(seen, drawn, strict=True):
        assert torch.equal(source, draw)
    noises = [(draw - (1 - sigma) * image) / sigma for draw, sigma in zip(drawn, SIGMAS, strict=False)]
    assert (noises[0] - noises[1]).abs().max() > 0.1


@pytest.mark.parametrize("kept", [0.0, 0.5])
def test_after_a_step_goes_on_from_what_it_is_steps(kept: float) -> None:
    image, noised, _ = image_and_noised()
    edited = flow_edit(
        lambda x, sigma: x + 1,
        lambda x, sigma: x,
        noised,
        image,
        SIGMAS,
        after_step=lambda current, i: image + kept * (current - image),
    )
    assert (edited - image).abs().max() <= kept * 2
    assert (edited - image).abs().max() >= kept * 0.5
