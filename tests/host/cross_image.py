"""Cross-Image Attention on the small U-Net, as its tests set it up."""

import torch
from appearance_transfer.tests.host import small_world as world

SAME = 1e-5  # relative, fp32: the same sums in another order


def attend(model, appearances, structure=None, **settings):
    from appearance_transfer.host.transfer.cross_image_attention import Appearance, transfer_appearance

    wrapped = [entry if isinstance(entry, Appearance) else Appearance(entry) for entry in appearances]
    return transfer_appearance(model, wrapped, structure, world.transfer_settings(**settings))


def appearance_guider(model, **settings):
    from appearance_transfer.attention.windows import Window
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

    return AppearanceGuider(
        model, world.prompt(1), world.prompt(2), GuidanceSettings(**{"window": Window(), "every": 1} | settings)
    )


def resized(latent, size):
    return torch.nn.functional.interpolate(latent, size=size, mode="bicubic")


def first_edited_attention(patched, inversion):
    """What the first edited layer gives at the first open step of a resumed run, [1, h, w, channels]."""
    first_open = float(torch.tensor(inversion.schedule.sigmas[1]))
    seen = []

    def record(out, extra):
        if extra["block"] == ("output", 2) and float(extra["sigmas"].max()) == first_open:
            seen.append(out.clone())
        return out

    listening = patched.clone()
    listening.set_model_attn1_output_patch(record)
    world.sample(listening, inversion)
    return seen[-1].unflatten(1, (8, 8))


def euler():
    import comfy.samplers

    return comfy.samplers.sampler_object("euler")


def changed(inversion, **changes):
    from dataclasses import replace

    return replace(inversion, **changes)
