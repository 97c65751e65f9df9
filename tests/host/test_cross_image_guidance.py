"""Cross-Image Attention under guiders and samplers."""

from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import SAME, appearance_guider, attend


def test_stock_guidance_is_appearance_guidance(model, structure, appearance) -> None:
    """CFG with the same text on both sides is eq. 4 of the paper, since only positive rows look at references."""
    transferred = attend(model, [appearance], structure)
    ours = appearance_guider(transferred, scale=2.5, end_scale=2.5)
    guided = world.sample(transferred, structure, guider=ours)
    stock = world.sample(transferred, structure, guider=world.stock_guider(transferred, cfg=2.5))
    assert world.relative(guided, stock) < SAME


def test_text_guidance_alone_is_classifier_free_guidance(model, structure) -> None:
    ours = appearance_guider(model, scale=1.0, end_scale=1.0, text_scale=4.0)
    guided = world.sample(model, structure, guider=ours)
    stock = world.stock_guider(model, negative=world.prompt(2), cfg=4.0)
    assert world.relative(guided, world.sample(model, structure, guider=stock)) < SAME


def test_text_guidance_costs_a_pass_more_only_where_a_reference_is_read(host, appearance) -> None:
    """Elsewhere the pass with the transfer is the one without it: 10 steps of 2 rows, a twin and a reference."""

    model = world.small_model()
    once = attend(model, [appearance], window=world.window(8, 8))
    counter = world.count_evaluations(once)
    guided = world.sample(once, appearance, guider=appearance_guider(once, text_scale=3.0))
    assert counter.samples == 10 * 2 + 2
    unguided = world.sample(once, appearance, guider=appearance_guider(once, scale=1.0, text_scale=3.0))
    assert world.relative(guided, unguided) > 1e-4


def test_a_stock_sampler_works_on_the_recorded_levels(model, structure, appearance) -> None:
    """Euler on these sigmas is DDIM; it goes through the same levels and reads the same references."""
    import comfy.samplers

    def euler(patched):
        sampler = comfy.samplers.sampler_object("euler")
        return world.sample(patched, structure, guider=world.stock_guider(patched, cfg=2.0), sampler=sampler)

    assert world.relative(euler(attend(model, [appearance], structure)), euler(model)) > 0.05
