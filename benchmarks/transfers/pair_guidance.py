"""What a network says of pairs that the pocket transformer transfers: objects and matches, by the pocket U-Net for 256
px or by the transformer's own features, each read as the nodes read it.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.fusion import FeatureRecipe, fuse_maps
from ...correspondence.match import FIELD, match
from ...correspondence.mirroring import matched_side
from ...host.matching.object_finding import find_objects
from ...host.matching.recipes import feature_maps, recipe_of
from ...pocket.checkpoint import TRANSFORMER_NETWORK
from ..evaluation_counter import EvaluationCount
from .inverted import Masks, Models, models_of, pocket_models
from .pairs import RenderedPairs, prompt
from .rearranged import true_matches

TRUE, FOUND, OWN = "true", "found", "own"
SIZE = 256


@dataclass(frozen=True, eq=False)
class Guidance:
    """Where the animals are, which position belongs to which, and how many evaluations of the network that found it."""

    masks: Masks
    matches: Correspondence
    evaluations: float


@lru_cache(maxsize=4)  # all methods of a batch share them
def guidance_of(truth: RenderedPairs, masks: str, matches: str) -> Guidance:
    """masks, matches: the renderer's (TRUE), the U-Net's (FOUND) or those of the transformer's features (OWN). Matches
    that are found lie inside true masks, as far as these are true.
    """
    known = Masks(truth.structure.mask, truth.appearance.mask)
    if masks == matches == TRUE:
        return Guidance(known, true_matches(truth), 0.0)
    network = _ReadNetwork(own() if OWN in (masks, matches) else unet())
    count = EvaluationCount(network.models.model.model.diffusion_model)
    structure = network.at(truth.structure.image, truth.structure_nouns)
    appearance = network.at(truth.appearance.image, truth.appearance_nouns)
    where = known if masks == TRUE else Masks(network.object_of(structure), network.object_of(appearance))
    if matches == TRUE:
        found = true_matches(truth)
    else:
        mirrored = network.at(truth.appearance.image.flip(2), truth.appearance_nouns)
        sides = [network.fused(view) for view in (structure, appearance, mirrored)]
        inside = {"structure_mask": known.structure, "appearance_mask": known.appearance} if masks == TRUE else {}
        found, _ = matched_side(*sides, **inside, matcher=partial(match, method=FIELD))
    count.close()
    return Guidance(where, found, sum(count.by_node.values()) / len(truth.pairs))


@lru_cache(maxsize=1)
def unet() -> Models:
    """The committed pocket U-Net for 256 px."""
    return pocket_models(SIZE)


@lru_cache(maxsize=1)
def own() -> Models:
    """The committed pocket transformer, whose features are read."""
    return models_of(TRANSFORMER_NETWORK)


@dataclass(frozen=True, eq=False)
class _View:
    """Images [B, H, W, 3], the text of each, and their features by block."""

    images: Tensor
    positive: list
    maps: dict[int, Tensor]


class _ReadNetwork:
    """A network that looks at images as its recipe says."""

    def __init__(self, models: Models) -> None:
        self.models, self.recipe = models, recipe_of(models.model)

    def at(self, images: Tensor, nouns: list[str]) -> _View:
        positive = self.models.conditioning([prompt(noun) for noun in nouns])
        return _View(images, positive, self._maps(images, positive, self.recipe))

    def object_of(self, view: _View) -> Tensor:
        elsewhere = self.recipe.elsewhere
        maps = self._maps(view.images, view.positive, elsewhere) if elsewhere else view.maps
        return find_objects(view.images, [maps[block] for block in self.recipe.of_objects.object_blocks])

    def fused(self, view: _View) -> Features:
        return Features(fuse_maps(view.maps, self.recipe.match_blocks), (view.images.shape[1], view.images.shape[2]))

    def _maps(self, images: Tensor, positive: list, recipe: FeatureRecipe) -> dict[int, Tensor]:
        return feature_maps(self.models.model, self.models.encode(images), positive, recipe)
