"""FlowEdit Sampler on tiny random networks of every family: what it leaves, what it changes, and what it costs."""

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.flow_editing import LEVELS, edited
from appearance_transfer.tests.host.small_world import count_evaluations
from appearance_transfer.tests.host.tiny_transformers import TINY
from appearance_transfer.tests.host.transformer_family import Family

STEPS = len(LEVELS) - 1


@pytest.fixture(scope="module", params=TINY)
def family(host, request):
    return Family(request.param)


def relative(a, b) -> float:
    return noted(float((a - b).abs().max() / b.abs().max()))


def test_without_an_edit_it_says_so_before_it_runs(family) -> None:
    counted = family.model.clone()
    counter = count_evaluations(counted)
    with pytest.raises(ValueError, match="has no transfer, and no text is connected to source"):
        edited(family, counted, family.tiny.image(1))
    assert counter.samples == 0


def test_another_text_changes_it(family) -> None:
    image = family.tiny.image(1)
    changed = edited(family, family.model, image, text=family.tiny.prompt(7), source=family.tiny.prompt(1))
    assert relative(changed, image) > 1e-4


def test_a_transfer_changes_it_at_three_evaluations_a_step(family) -> None:
    """The same again at the second run; afterwards the model is what it was."""
    image = family.tiny.image(1)
    counted = family.model.clone()
    counter = count_evaluations(counted)
    transferred = family.transferred([family.appearance], model=counted)
    first = edited(family, transferred, image)
    assert counter.samples == 3 * STEPS
    assert relative(first, image) > 1e-4
    assert torch.equal(edited(family, transferred, image), first)
    both = edited(family, transferred, image, source=family.tiny.prompt(1))  # the transfer is off under that, too
    assert relative(both, first) <= 1e-5


def test_a_batch_is_what_its_images_are_alone(family) -> None:
    transferred = family.transferred([family.appearance])
    images = torch.cat([family.tiny.image(1), family.tiny.image(5)])
    batch = edited(family, transferred, images)
    for row, image in zip(batch.split(1), images.split(1), strict=True):
        assert relative(row, edited(family, transferred, image)) <= 1e-5


def test_outside_of_a_noise_mask_nothing_changes(family) -> None:
    image = family.tiny.image(1)
    mask = torch.zeros(1, 1, *image.shape[-2:])
    mask[..., : image.shape[-1] // 2] = 1
    changed = edited(family, family.transferred([family.appearance]), image, mask=mask)
    right = (..., slice(image.shape[-1] // 2, None))
    assert relative(changed[right], image[right]) <= 1e-6
    assert relative(changed, image) > 1e-4


def test_where_the_levels_end_early_another_sampler_goes_on(family) -> None:
    """The result is the image in noise as ComfyUI hands it from one sampler to the next without adding any."""
    image = family.tiny.image(1)
    stopped = edited(family, family.model, image, source=family.tiny.prompt(1), levels=LEVELS[:2])
    sampling = family.model.get_model_object("model_sampling")
    sigma = torch.tensor(LEVELS[1])
    into = family.model.get_model_object("latent_format").process_in
    noise = sampling.noise_scaling(sigma, torch.zeros_like(image), into(stopped)) - (1 - sigma) * into(image)
    assert float((noise / sigma).std()) == pytest.approx(1.0, abs=0.3)


def test_a_source_guidance_without_a_negative_says_so(family) -> None:
    from comfy_extras.nodes_custom_sampler import Guider_Basic

    guider = Guider_Basic(family.model)
    guider.set_conds(family.tiny.prompt(1))
    with pytest.raises(ValueError, match="needs a negative text, and the guider has none"):
        edited(family, family.model, family.tiny.image(1), guider=guider, source=family.tiny.prompt(2), source_cfg=2.0)


def test_adain_between_the_steps(family) -> None:
    from appearance_transfer.attention.windows import Window
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation

    image, expected = family.tiny.image(1), family.tiny.image(2)
    operation = AdaINOperation(family.appearance, None, None, Window(0.0, 1.0))
    colored = edited(family, family.transferred([family.appearance]), image, between_steps=operation)
    assert relative(colored.mean((2, 3)), expected.mean((2, 3))) <= 1e-4


def test_a_source_guidance_without_a_source_says_so() -> None:
    from appearance_transfer.nodes.flow_edit import FlowEdit

    with pytest.raises(ValueError, match="no text is connected to source"):
        FlowEdit.execute(source_cfg=2.0)
