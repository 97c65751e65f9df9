"""Which of a model's features tell objects and matches."""

from comfy.model_patcher import ModelPatcher

from ...correspondence.fusion import LITERATURE_RECIPE, POCKET_RECIPE, FeatureRecipe
from ..models.pocket_checkpoint import PocketSD


def recipe_of(model: ModelPatcher) -> FeatureRecipe:
    """The recipe for a U-Net: measured for the pocket checkpoint, from the literature for all others."""
    return POCKET_RECIPE if isinstance(model.model.model_config, PocketSD) else LITERATURE_RECIPE
