"""Cross-attention guidance: its loss in closed form, its step, and what it refuses."""

import pytest
import torch
from appearance_transfer.guidance.cross_attention import (
    CONDITIONAL,
    NEGATIVE,
    UPDATE_TARGETS,
    bounded_amount,
    cross_attention_loss,
    guidance_shift,
    moved_latent,
)


def maps(seed: int, layers=((4, 64, 77), (2, 16, 77)), rows: int = 3) -> dict[int, torch.Tensor]:
    """Probabilities {layer: [rows, heads, N, T]}."""
    generator = torch.Generator().manual_seed(seed)
    return {i: torch.randn(rows, *shape, generator=generator).softmax(-1) for i, shape in enumerate(layers)}


class TestLoss:
    def test_it_is_the_sum_over_layers_of_the_mean_over_heads_of_all_squares(self) -> None:
        ours, reference = maps(0), maps(1)
        loss = cross_attention_loss(ours, reference)
        for row in range(3):
            expected = 0.0
            for layer, heads in ((0, 4), (1, 2)):
                for head in range(heads):
                    expected += float((ours[layer][row, head] - reference[layer][row, head]).pow(2).sum()) / heads
            assert float(loss[row]) == pytest.approx(expected, rel=1e-5)

    def test_the_mean_over_rows_is_the_released_code_s_number(self) -> None:
        """There heads and prompts are one dimension of a batch of one image."""
        ours, reference = maps(0, rows=2), maps(1, rows=2)
        released = sum(
            (ours[i].flatten(0, 1) - reference[i].flatten(0, 1)).pow(2).sum((1, 2)).mean(0) for i in ours
        )  # fmt: skip
        torch.testing.assert_close(cross_attention_loss(ours, reference).mean(), released)

    def test_equal_maps_have_none_and_no_gradient(self) -> None:
        ours = {layer: of_layer.requires_grad_() for layer, of_layer in maps(0).items()}
        loss = cross_attention_loss(ours, maps(0))
        assert torch.equal(loss.detach(), torch.zeros(3))
        for gradient in torch.autograd.grad(loss.sum(), list(ours.values())):
            assert torch.equal(gradient, torch.zeros_like(gradient))

    def test_rows_do_not_know_of_each_other(self) -> None:
        ours = {layer: of_layer.requires_grad_() for layer, of_layer in maps(0).items()}
        loss = cross_attention_loss(ours, maps(1))
        for gradient in torch.autograd.grad(loss[1], list(ours.values())):
            assert bool((gradient[1] != 0).any())
            assert not gradient[[0, 2]].any()

    def test_other_layers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="of 2 layers, and of 1 of the reconstruction"):
            cross_attention_loss(maps(0), {0: maps(0)[0]})

    def test_no_layer_is_refused(self) -> None:
        with pytest.raises(ValueError, match="one at least"):
            cross_attention_loss({}, {})

    @pytest.mark.parametrize("layer", [(4, 16, 77), (4, 64, 154), (8, 64, 77)])
    def test_other_sizes_are_refused(self, layer) -> None:
        with pytest.raises(ValueError, match="one size and prompts of the same number of tokens"):
            cross_attention_loss(maps(0, [(4, 64, 77)]), maps(0, [layer]))


class TestStep:
    def test_it_goes_against_the_gradient(self) -> None:
        gradient = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
        assert torch.equal(guidance_shift(gradient, 0.1), -0.1 * gradient)
        amounts = torch.tensor([[0.1, 0.2, 0.3], [1.0, 2.0, 3.0]])
        assert torch.equal(guidance_shift(gradient, amounts)[1, 2], -3.0 * gradient[1, 2])

    def test_no_gradient_is_no_step(self) -> None:
        x = torch.randn(1, 4, 5, 5)
        assert torch.equal(x + guidance_shift(torch.zeros_like(x), 0.1), x)

    @pytest.mark.parametrize("curvature", [1e-3, 1.0, 1e3])
    def test_a_bounded_step_never_runs_away(self, curvature) -> None:
        """Loss curvature*|x|^2, whose steps are stable below 1/curvature; the bound is a quarter of that."""
        x = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
        losses = []
        for _ in range(8):
            loss = curvature * x.square().sum((-1, -2, -3))
            losses.append(loss)
            amount = bounded_amount(1e6, loss, 2 * curvature * x)
            torch.testing.assert_close(amount, torch.full((2,), 0.25 / curvature))
            x = x + guidance_shift(2 * curvature * x, amount)
        assert all(bool((after < before).all()) for before, after in zip(losses, losses[1:], strict=False))

    def test_a_short_step_is_as_it_was_asked_for(self) -> None:
        gradient = torch.ones(1, 4, 2, 2)
        assert float(bounded_amount(0.1, torch.tensor([1.7]), gradient)) == pytest.approx(0.1)
        assert float(bounded_amount(0.1, torch.tensor([1.5]), gradient)) == pytest.approx(1.5 / 16)

    def test_where_there_is_no_gradient_the_bound_is_a_number(self) -> None:
        amount = bounded_amount(0.1, torch.zeros(1), torch.zeros(1, 4, 2, 2))
        assert torch.equal(guidance_shift(torch.zeros(1, 4, 2, 2), amount), torch.zeros(1, 4, 2, 2))


class TestUpdateTarget:
    SHIFTS = torch.stack([torch.full((1, 4, 2, 2), value) for value in (1.0, 3.0)])

    @pytest.mark.parametrize(
        ("target", "moved"), [("negative", 3.0), ("conditional", 1.0), ("mean", 2.0), ("original", 0.0)]
    )
    def test_what_the_sampler_goes_on_from(self, target, moved) -> None:
        assert (CONDITIONAL, NEGATIVE) == (0, 1)
        assert target in UPDATE_TARGETS
        assert torch.equal(moved_latent(self.SHIFTS, target), torch.full((1, 4, 2, 2), moved))

    def test_another_one_is_refused(self) -> None:
        with pytest.raises(ValueError, match="choose one of negative, conditional, mean, original"):
            moved_latent(self.SHIFTS, "both")
