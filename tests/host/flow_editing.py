"""FlowEdit Sampler on a tiny transformer, as its tests set it up."""

import torch

LEVELS = [0.8, 0.6, 0.3, 0.0]


def edited(
    family, model, image, *, cfg: float = 1.0, text=None, levels=LEVELS, mask=None, guider=None, **settings
) -> torch.Tensor:
    """[B, C, h, w] of an image that the sampler edits under a text; the negative text has another length."""
    from appearance_transfer.host.runtime.latents import framed, without_frame
    from appearance_transfer.host.runtime.model_runner import stock_guider
    from appearance_transfer.host.transfer.flow_edit_sampler import FlowEditSampler

    guider = guider or stock_guider(model, text or family.tiny.prompt(1), family.tiny.prompt(2, tokens=9), cfg)
    latent = framed(image, model.get_model_object("latent_format"))
    with torch.inference_mode():
        samples = guider.sample(
            torch.zeros_like(latent), latent, FlowEditSampler(**settings), torch.tensor(levels), denoise_mask=mask,
            disable_pbar=True, seed=3,
        )  # fmt: skip
    return without_frame(samples)
