"""Edits under Cross-Attention Guider on the small U-Net, as its tests make them."""

import torch
from appearance_transfer.tests.host import small_world as world

STEPS = 5
ORIGINAL, EDITED, NEGATIVE = 1, 3, 2  # prompts of the small world


def invert(model, latent=None):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
    from appearance_transfer.host.models.schedules import schedule_of

    latent = world.latents(3) if latent is None else latent
    with torch.inference_mode():
        return invert_with_ddim(
            model, latent, world.prompt(ORIGINAL), world.prompt(ORIGINAL), schedule_of(model, steps=STEPS)
        )


def guiding(model, positive=None, edited=None, negative=None, **settings):
    from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings

    positive = positive or world.prompt(ORIGINAL)
    return CrossAttentionGuider(
        model, positive, edited or world.prompt(EDITED), negative, CrossAttentionSettings(**settings)
    )


def edit(model, inversion, **options):
    return world.sample(model, inversion, guider=guiding(model, **options))


def plain(model, inversion, positive=EDITED, negative=ORIGINAL, cfg=5.0, **options):
    guider = world.stock_guider(model, positive=world.prompt(positive), negative=world.prompt(negative), cfg=cfg)
    return world.sample(model, inversion, guider=guider, **options)
