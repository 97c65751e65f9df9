"""A small random network and what surrounds it, to test how ComfyUI layer behaves rather than how images look."""

from types import SimpleNamespace

import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host.golden_model import model_from

CONFIG = {
    "image_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1, 1],
    "channel_mult": [1, 2, 2],
    "transformer_depth": [1, 1, 1],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "num_heads": 4,
    "num_head_channels": -1,
    "use_spatial_transformer": True,
    "context_dim": 16,
    "use_linear_in_transformer": False,
    "adm_in_channels": None,
    "legacy": False,
    "use_temporal_attention": False,
}
SIZE = (4, 16, 16)
STEPS, START = 14, 4  # of the small schedule; 10 executed steps


def small_model(seed: int = 0, prediction: str = "EPS"):
    """A MODEL of SD1.5's family with random weights, attention on /1, /2 and /4."""
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    unet = UNetModel(**CONFIG, dtype=torch.float32, device="cpu", operations=comfy.ops.manual_cast)
    return model_from(CONFIG, random_state(unet, seed), prediction)


def random_state(network: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """Random weights of a network that keep its activations in order."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, parameter in network.state_dict().items():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            state[name] = (name.endswith("weight") * 1.0) + 0.1 * noise
        else:
            state[name] = noise / parameter[0].numel() ** 0.5
    return state


def latents(seed: int, images: int = 1) -> torch.Tensor:
    """Images as the samples of a LATENT, smooth enough to have parts."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(images, SIZE[0], 4, 4, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=SIZE[1:], mode="bicubic") * 4


def prompt(seed: int) -> list:
    """A CONDITIONING of random embeddings."""
    return [[torch.randn(1, 77, CONFIG["context_dim"], generator=torch.Generator().manual_seed(seed)), {}]]


def invert(model, latent: torch.Tensor, **options):
    """A short DDPM inversion under the prompts 1 (positive) and 2 (negative)."""
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm
    from appearance_transfer.host.models.schedules import schedule_of

    schedule = options.pop("schedule", None) or schedule_of(model, steps=STEPS, start_at=START)
    options = {"guidance": 1.0, "keep_last_noise": True} | options
    with torch.inference_mode():
        return invert_with_ddpm(model, latent, prompt(1), prompt(2), schedule, **options)


def transfer_settings(**options):
    """Settings of Cross-Image Attention whose windows are open from the second executed step on."""
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings

    return CrossImageSettings(**_open_early(options))


def rearrangement_settings(**options):
    """Settings of Semantic Rearrangement whose windows are open from the second executed step on."""
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings

    return RearrangementSettings(**_open_early(options))


def _open_early(options: dict) -> dict:
    return {"window": window(1), "structure_share": 0.25, "structure_end_percent": 1.0} | options


def percents(sigmas: tuple[float, ...] | None = None) -> list[float]:
    """Where in the schedule the steps of a run along these noise levels begin (by default the small schedule)."""
    from appearance_transfer.inversion.schedule import leading_timesteps
    from appearance_transfer.tests.inversion.stable_diffusion import scaled_linear_alpha_bar

    alpha_bar = scaled_linear_alpha_bar()
    levels = ((1 - alpha_bar) / alpha_bar).sqrt()
    timesteps = leading_timesteps(STEPS)[START:]
    if sigmas is not None:
        timesteps = [int((levels - sigma).abs().argmin()) for sigma in sigmas[:-1]]
    return [1 - timestep / 999 for timestep in timesteps]


def window(first: int, last: int = STEPS - START - 1, sigmas: tuple[float, ...] | None = None):
    """The window of executed steps first..last of a run along these noise levels (by default the small schedule), both
    included; empty where there are none. It opens and closes half-way between steps.
    """
    from appearance_transfer.attention.windows import Window

    begin = percents(sigmas)
    if last < first or first >= len(begin):
        return Window(1.0, 1.0)
    margin = (begin[1] - begin[0]) / 2
    start = 0.0 if first <= 0 else begin[first] - margin
    return Window(start, 1.0 if last >= len(begin) - 1 else begin[last] + margin)


def stock_guider(model, *, positive=None, negative=None, cfg: float = 1.0):
    """ComfyUI's own guider, by default under prompt 1 on both sides."""
    import comfy.samplers

    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive or prompt(1), negative or prompt(1))
    guider.set_cfg(cfg)
    return guider


def sample(
    model, inversion, *, guider=None, between_steps=None, latent=None, sampler=None, sigmas=None, noise_mask=None
) -> torch.Tensor:
    """Resume from an inversion (default: its own sampler and the stock guider); the samples of a LATENT."""
    from appearance_transfer.host.models.schedules import sigmas_tensor
    from appearance_transfer.host.transfer.noise_map_sampler import NoiseMapSampler

    guider = guider or stock_guider(model)
    start = model.get_model_object("latent_format").process_out(inversion.start) if latent is None else latent
    sampler = sampler or NoiseMapSampler(inversion, between_steps)
    sigmas = sigmas_tensor(inversion.schedule) if sigmas is None else sigmas
    with torch.inference_mode():
        return guider.sample(
            torch.zeros_like(start), start, sampler, sigmas, denoise_mask=noise_mask, disable_pbar=True, seed=0
        )


def runs_of(model):
    """The runs of the transfers on a MODEL: none unless it samples."""
    from appearance_transfer.host.transfer.model_patch import current_sessions

    return current_sessions(model.model_options)


def count_evaluations(model) -> SimpleNamespace:
    """Count what goes through the network while this MODEL samples, from now on and in its clones: the rows of latents,
    `.samples`, and how often it is called, `.forwards`.

    At the network itself, since references pass no wrapper.
    """
    import comfy.patcher_extension

    counter = SimpleNamespace(samples=0, forwards=0)

    def see(network, inputs):
        counter.samples += len(inputs[0])
        counter.forwards += 1

    def count(executor, *args, **kwargs):
        hook = model.model.diffusion_model.register_forward_pre_hook(see)
        try:
            return executor(*args, **kwargs)
        finally:
            hook.remove()

    model.add_wrapper_with_key(comfy.patcher_extension.WrappersMP.OUTER_SAMPLE, "count", count)
    return counter


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return noted(float((a - b).abs().max() / b.abs().max()))
