"""Semantic Rearrangement on the small U-Net, as its tests set it up."""

import torch
from appearance_transfer.tests.host import small_world as world

SAME = 1e-5  # relative, fp32: the same sums in another order
GRID = (8, 8)  # of the first edited layer
LAYER = ("output", 2)
CFG = 2.5


def rearrange(model, appearances, structure=None, **settings):
    from appearance_transfer.host.transfer.plan import Appearance
    from appearance_transfer.host.transfer.semantic_rearrangement import rearrange_appearance

    weighed = [entry if isinstance(entry, Appearance) else Appearance(entry) for entry in appearances]
    return rearrange_appearance(model, weighed, structure, world.rearrangement_settings(**settings))


def weigh(inversion, **options):
    from appearance_transfer.host.transfer.plan import Appearance

    return Appearance(inversion, **options)


def identity(images=1, **changes):
    """Every position of an 8x8 grid matches itself, but for {position: other} in `moved`."""
    from appearance_transfer.correspondence.correspondence import Correspondence

    index = torch.arange(64).expand(images, 1, 64).clone()
    for position, other in changes.pop("moved", {}).items():
        index[..., position] = other
    whole = torch.ones(images, *GRID)
    sizes = {"structure_image": (128, 128), "appearance_image": (128, 128)} | changes
    return Correspondence(index.unflatten(2, GRID), whole[:, None], whole, whole, GRID, **sizes)


def left_half():
    mask = torch.zeros(1, 16, 16)
    mask[:, :, :8] = 1
    return mask


def sample(model, inversion, cfg=1.0, **options):
    guider = world.stock_guider(model, negative=world.prompt(2), cfg=cfg)
    return world.sample(model, inversion, guider=guider, **options)


def entering(model, inversion, *, cfg=1.0, step=1):
    """(n, context, value), each {prompt: [B, N, C]}, of the first edited layer at an executed step."""
    sigma = torch.tensor(inversion.schedule.sigmas[step])
    seen = {}

    def listen(n, context, value, extra):
        if extra["block"] == LAYER and torch.isclose(extra["sigmas"].max(), sigma):
            chunks = (tokens.clone().chunk(len(extra["cond_or_uncond"])) for tokens in (n, context, value))
            seen["tokens"] = [dict(zip(extra["cond_or_uncond"], chunk, strict=True)) for chunk in chunks]
        return n, context, value

    listening = model.clone()
    listening.set_model_attn1_patch(listen)
    sample(listening, inversion, cfg)
    return seen["tokens"]
