"""Which of a model's features tell objects and matches, and what they are of clean latents."""

from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...correspondence.dift import BLOCK_PRESETS, BlockReading, DiftSettings
from ...correspondence.fusion import (
    LITERATURE_RECIPE,
    POCKET_RECIPE,
    FeatureRecipe,
    block_recipe_at,
    pocket_transformer_recipe,
)
from ..models.architecture import is_unet, known_transformer, network_of, transformer_of
from ..models.conditioning import first_text, processed_prompt
from ..models.plain_model import check_plain
from ..models.pocket_checkpoint import PocketFlux, PocketSD
from ..runtime.latents import check_channels, framed, image_latents, in_model_scale
from ..runtime.model_runner import Denoise, run_with_model
from .block_features import blocks_of_x0
from .dift_features import up_blocks_of_x0


def recipe_of(model: ModelPatcher) -> FeatureRecipe:
    """The recipe for a network: measured for the pocket ones, from the literature for all other U-Nets. For other
    transformers the middle block at level 260, which DiTF found for Flux.1 (28 of 57); elsewhere not tried.

    Raises ValueError for a network that is not known.
    """
    network, config = network_of(model), model.model.model_config
    if is_unet(network):
        return POCKET_RECIPE if isinstance(config, PocketSD) else LITERATURE_RECIPE
    blocks = known_transformer(network).blocks
    if isinstance(config, PocketFlux):
        return pocket_transformer_recipe()
    return block_recipe_at(len(blocks) // 2, BLOCK_PRESETS["Flux.1"]["timestep"])


def feature_maps(
    model: ModelPatcher, latent: Tensor, positive: list, recipe: FeatureRecipe, seed: int = DiftSettings.seed
) -> dict[int, Tensor]:
    """The features [B, C, h, w] of images under a text, by the blocks of a recipe, out of the same forwards.

    latent: [B, C, h, w] or [B, C, 1, h, w] in the VAE's scale. Raises ValueError for an unsupported architecture, for
    latents of another kind, and for a model that carries a transfer.
    """
    check_plain(model)
    text = first_text(positive)
    latent_format = model.get_model_object("latent_format")
    check_channels(image_latents(latent), latent_format)
    clean = in_model_scale(latent, latent_format)

    def body(denoise: Denoise, x: Tensor) -> dict[int, Tensor]:
        prompt = processed_prompt(model.model, text, framed(x, latent_format), seed)
        return maps_of_x0(model.model, clean.to(x), prompt, recipe, model.model_options, seed)

    sigmas = model.get_model_object("model_sampling").sigmas[[-1, 0]]  # of which none is sampled
    return run_with_model(model, latent, body, positive=text, negative=text, guidance=1.0, sigmas=sigmas, seed=seed)


def maps_of_x0(
    inner_model: Any,
    x0: Tensor,
    prompt: list[dict[str, Any]],
    recipe: FeatureRecipe,
    model_options: dict[str, Any],
    seed: int = DiftSettings.seed,
) -> dict[int, Tensor]:
    """The features [B, C, h, w] of clean latents [B, C, h', w'] by the blocks of a recipe, out of the same forwards.

    inner_model, prompt, model_options: as of `dift_of_x0`. seed: of the noise.
    """
    settings = DiftSettings(timestep=recipe.timestep, ensemble=recipe.draws, seed=seed, batch=len(x0))
    transformer = transformer_of(inner_model.diffusion_model)
    if transformer is None:
        found = up_blocks_of_x0(inner_model, x0, prompt, settings, recipe.blocks, model_options)
    else:
        readings = [BlockReading(block, recipe.facet) for block in recipe.blocks]
        found = blocks_of_x0(inner_model, transformer, x0, prompt, settings, readings, model_options)
    return dict(zip(recipe.blocks, found, strict=True))
