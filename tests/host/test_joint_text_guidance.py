"""Cross-attention guidance on transformers: gradients, what must be equal, every family."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import Family

EDITED = 3  # the prompt
ROUNDED = 1e-2  # the backward pass rounds by how its tensors lie in memory


@pytest.fixture(scope="module", params=sorted(TINY))
def family(host, request) -> Family:
    return Family(request.param)


@pytest.fixture(scope="module")
def inversion(family):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim

    text = family.tiny.prompt(1)
    with torch.inference_mode():
        return invert_with_ddim(family.model, family.tiny.image(1), text, text, family.schedule)


def guiding(family, edited=None, negative=None, **settings):
    from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings

    return CrossAttentionGuider(
        family.model, family.tiny.prompt(1), edited or family.tiny.prompt(EDITED), negative,
        CrossAttentionSettings(**{"cfg": 3.0} | settings),
    )  # fmt: skip


def edit(family, inversion, **options) -> torch.Tensor:
    return world.sample(family.model, inversion, guider=guiding(family, **options))


def test_amount_0_is_the_plain_guider(family, inversion) -> None:
    plain = world.stock_guider(
        family.model, positive=family.tiny.prompt(EDITED), negative=family.tiny.prompt(1), cfg=3.0
    )
    assert torch.equal(edit(family, inversion, amount=0.0), world.sample(family.model, inversion, guider=plain))


def test_it_moves_the_edit_and_is_bounded(family, inversion) -> None:
    """However large the amount, and the MODEL is as it was."""
    plain = edit(family, inversion, amount=0.0)
    guided = edit(family, inversion, amount=1.0)
    assert torch.isfinite(guided).all()
    assert not torch.equal(guided, plain)
    far, farther = (edit(family, inversion, amount=amount) for amount in (1e12, 1e15))
    assert world.relative(farther, far) < ROUNDED
    assert torch.equal(edit(family, inversion, amount=0.0), plain)


def test_stored_maps_are_the_recomputed_ones(family, inversion) -> None:
    one, other = edit(family, inversion, amount=1.0, stored=True), edit(family, inversion, amount=1.0)
    assert world.relative(one, other) < 1e-2


def test_downscales_are_for_unets(family) -> None:
    with pytest.raises(ValueError, match="Set downscales to all"):
        guiding(family, downscales=(1, 2))


def test_the_gradient_is_that_of_finite_differences(host) -> None:
    """On the first family; along the gradient itself, where the loss changes most."""
    import comfy.samplers
    from appearance_transfer.host.editing.cross_attention_guider import attention_gradient
    from appearance_transfer.host.runtime.gradients import autograd_inside
    from appearance_transfer.host.runtime.model_runner import run_guider

    family = Family("Flux.1")
    guider, sigma = guiding(family, amount=1.0), float(family.schedule.sigmas[1])

    def body(denoise, x0):
        options = guider.model_options
        network = guider.inner_model
        x = torch.randn(x0.shape, generator=torch.Generator().manual_seed(1))
        levels = torch.full((len(x),), sigma)
        with autograd_inside(network), guider.text_maps.differentiated(network.diffusion_model):
            recorder = guider.text_maps.recorder()
            prompts = [guider.conds["original"], guider.conds["negative"]]
            with torch.no_grad():
                away = torch.randn(x0.shape, generator=torch.Generator().manual_seed(2))
                comfy.samplers.calc_cond_batch(network, prompts, away, levels, recorder.options(options))
            gradient, losses = attention_gradient(guider, x, levels, recorder.maps, options)
            direction = gradient[:1].sum(0)
            step = 1e-2 / direction.norm()
            rise = [
                attention_gradient(guider, x + sign * step * direction, levels, recorder.maps, options)[1].sum()
                for sign in (1, -1)
            ]
            expected = float((gradient * direction).sum())
            return float((rise[0] - rise[1]) / (2 * step)), expected

    found, expected = run_guider(guider, family.tiny.image(1), body, sigmas=torch.tensor(family.schedule.sigmas))
    assert found == pytest.approx(expected, rel=0.02)
