"""A transfer as an ordinary patch of a MODEL clone: what it hooks into, and how a sampler finds its run.

A wrapper around `predict_noise` runs the references of the current step and fills the feature banks; patches of the
decoder's self-attention, which each transfer sets for itself, read them. Everything a run needs lives in one
`ReferenceSession`, made when sampling starts and dropped when it ends, however it ends.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import comfy.patcher_extension
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.windows import PercentToSigma
from ...inversion.types import Inversion
from ..models.fingerprint import check_model
from ..models.plain_model import KEY
from ..models.unet import decoder_levels
from .cost_report import tell
from .no_effect import warn_of_compiled, warn_of_same_image
from .reference_session import Appearance, ReferenceSession, TransferPlan, TransferSettings

log = logging.getLogger("appearance_transfer")


class ModelPatch(ABC):
    """What one node adds to a model. `run` is None except while its model samples.

    Raises ValueError for an unsupported architecture, no appearance, or inversions of another model.
    """

    def __init__(
        self,
        model: ModelPatcher,
        appearances: Sequence[Appearance],
        structure: Inversion | None,
        settings: TransferSettings,
    ):
        if not appearances:
            raise ValueError("No appearance is connected. Connect at least one inversion to this node.")
        self.plan = TransferPlan(tuple(appearances), structure, settings, decoder_levels(model))
        self.run: ReferenceSession | None = None
        inversions = [entry.inversion for entry in appearances]
        if settings.replayed:
            for inversion in inversions if structure is None else [*inversions, structure]:
                inversion.check_replayable()
        check_inversions(model, inversions if structure is None else [*inversions, structure])
        warn_of_same_image(appearances, structure)

    @abstractmethod
    def begin(
        self, guider: Any, sigmas: list[float], percent_to_sigma: PercentToSigma, shape: Sequence[int]
    ) -> ReferenceSession:
        """A run of this transfer, under this guider; raises ValueError where it cannot be."""

    @abstractmethod
    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        """Whether the patches that `patch` has set are still there, in the options that a step runs with."""

    @abstractmethod
    def patch(self, clone: ModelPatcher) -> None:
        """Set the patches of the self-attention that read the run's banks."""

    def applied_to(self, model: ModelPatcher) -> ModelPatcher:
        """A clone of `model` with this transfer; strength 0 gives one without any patch."""
        clone = model.clone()
        present: tuple[ModelPatch, ...] = ()
        if self.plan.settings.strength > 0:
            present = (self,)
            self.patch(clone)
            wrappers = comfy.patcher_extension.WrappersMP
            clone.add_wrapper_with_key(wrappers.OUTER_SAMPLE, KEY, self.outer_sample)
            clone.add_wrapper_with_key(wrappers.PREDICT_NOISE, KEY, self.predict_noise)
        options = clone.model_options["transformer_options"]
        options[KEY] = (*options.get(KEY, ()), *present)  # also without one: guiders know by it that a node was there
        return clone

    def outer_sample(
        self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        guider = executor.class_obj
        percent_to_sigma = guider.model_patcher.get_model_object("model_sampling").percent_to_sigma
        run = self.begin(guider, [float(sigma) for sigma in sigmas], percent_to_sigma, latent.shape)
        tell(run)
        warn_of_compiled(guider.model_options)
        self.run = run
        try:
            return executor(noise, latent, sampler, sigmas, *args, **kwargs)
        finally:
            self.run = None

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None
    ) -> Tensor:
        run = self.run
        if run is None:
            return executor(x, timestep, model_options, seed)
        run.fill_caches(executor.class_obj, timestep, model_options, seed)
        try:
            denoised = executor(x, timestep, model_options, seed)
            run.warn_of_layers_not_asked(self.is_in_place(model_options["transformer_options"]))
            return denoised
        finally:
            run.caches.clear()


def current_sessions(model_options: dict[str, Any]) -> list[ReferenceSession]:
    """The runs of all transfers on a sampling model, from the options its sampler and guider are given."""
    transfers = model_options.get("transformer_options", {}).get(KEY, ())
    return [transfer.run for transfer in transfers if transfer.run is not None]


def check_inversions(model: ModelPatcher, inversions: Sequence[Inversion]) -> None:
    """Raise where inversions cannot be used with a model; warn of another checkpoint."""
    for inversion in inversions:
        if not check_model(inversion.fingerprint, model):
            log.warning(
                "An inversion was made with another checkpoint of this family: it will not be replayed exactly."
            )
