"""A transfer as an ordinary patch of a MODEL clone: what it hooks into, and how a sampler finds its session.

A wrapper around `predict_noise` runs the references of the current step and fills the cache; the layers, patched by
the kind of network (network_patch.py), read it. Everything a run needs lives in one `ReferenceSession`, made when
sampling starts and dropped when it ends, however it ends.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import comfy.patcher_extension
from comfy.model_management import dtype_size
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.types import Inversion
from ..models.fingerprint import check_model
from ..models.plain_model import KEY
from .cost_report import tell, tell_forwards
from .method import TransferMethod
from .network_patch import network_patch
from .no_effect import warn_of_compiled, warn_of_same_image
from .plan import TransferPlan
from .reference_session import ReferenceSession
from .references import ModelCall

log = logging.getLogger("appearance_transfer")


class ModelPatch:
    """What one node adds to a model. `session` is None except while its model samples.

    Raises ValueError for an unsupported architecture, no appearance, or inversions of another model.
    """

    def __init__(self, model: ModelPatcher, plan: TransferPlan, method: type[TransferMethod]):
        if not plan.appearances:
            raise ValueError("No appearance is connected. Connect at least one inversion to this node.")
        self.plan = plan
        self.method = method
        self.network = network_patch(model, method, plan.settings)
        self.session: ReferenceSession | None = None
        if plan.settings.replayed:
            for inversion in plan.inversions:
                inversion.check_replayable()
        check_inversions(model, plan.inversions)
        warn_of_same_image(plan.appearances, plan.structure)

    def applied_to(self, model: ModelPatcher) -> ModelPatcher:
        """A clone of `model` with this transfer; strength 0 gives one without any patch."""
        clone = model.clone()
        present: tuple[ModelPatch, ...] = ()
        if self.plan.settings.strength > 0:
            present = (self,)
            self.network.install(clone, lambda: self.session)
            wrappers = comfy.patcher_extension.WrappersMP
            clone.add_wrapper_with_key(wrappers.OUTER_SAMPLE, KEY, self.outer_sample)
            clone.add_wrapper_with_key(wrappers.PREDICT_NOISE, KEY, self.predict_noise)
        options = clone.model_options["transformer_options"]
        options[KEY] = (*options.get(KEY, ()), *present)  # also without one: guiders know by it that a node was there
        return clone

    def outer_sample(
        self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        session = self._session(executor.class_obj, [float(sigma) for sigma in sigmas], latent.shape)
        tell(session, self.network, dtype_size(executor.class_obj.model_patcher.model.get_dtype_inference()))
        warn_of_compiled(executor.class_obj.model_options)
        self.session = session
        try:
            sampled = executor(noise, latent, sampler, sigmas, *args, **kwargs)
            tell_forwards(session)
            return sampled
        finally:
            self.session = None

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None
    ) -> Tensor:
        session = self.session
        if session is None:
            return executor(x, timestep, model_options, seed)
        session.fill_cache(ModelCall(executor.class_obj, timestep, model_options, seed), self.network)
        try:
            options = self.network.reading(model_options, lambda: self.session)
            denoised = executor(x, timestep, options, seed)
            self._warn_of_layers_not_asked(session, model_options)
            return denoised
        finally:
            session.cache.clear()

    def _session(self, guider: Any, sigmas: list[float], shape: Sequence[int]) -> ReferenceSession:
        percent_to_sigma = guider.model_patcher.get_model_object("model_sampling").percent_to_sigma
        method = self.method(self.plan, guider.cfg if guider.conds.get("negative") else 1.0)
        method.check(shape)
        return ReferenceSession(self.plan, method, sigmas, percent_to_sigma, shape)

    def _warn_of_layers_not_asked(self, session: ReferenceSession, model_options: dict[str, Any]) -> None:
        """After a step: warn where references offered something to layers that did not ask for it.

        Where our patches are in place and no layer asked, the network did not run (EasyCache).
        """
        layers, silent = session.cache.layers, session.cache.not_asked
        if silent and not (silent == layers and self.network.is_in_place(model_options["transformer_options"])):
            name = self.method.name
            session.warn_once(
                f"Another node replaces the decoder's self-attention after {name}, in {len(silent)} of {len(layers)} "
                f"layers, and there the transfer is off. Put that node first: connect its MODEL to the model input of "
                f"{name}."
            )


def current_sessions(model_options: dict[str, Any]) -> list[ReferenceSession]:
    """The sessions of all transfers on a sampling model, from the options its sampler and guider are given."""
    transfers = model_options.get("transformer_options", {}).get(KEY, ())
    return [transfer.session for transfer in transfers if transfer.session is not None]


@contextmanager
def transfers_off(model_options: dict[str, Any]) -> Iterator[None]:
    """Within it, evaluations with these options are those of the model without its transfers, and run no reference."""
    transfers = model_options.get("transformer_options", {}).get(KEY, ())
    sessions = [transfer.session for transfer in transfers]
    for transfer in transfers:
        transfer.session = None
    try:
        yield
    finally:
        for transfer, session in zip(transfers, sessions, strict=True):
            transfer.session = session


def check_inversions(model: ModelPatcher, inversions: Sequence[Inversion]) -> None:
    """Raise where inversions cannot be used with a model; warn of another checkpoint."""
    for inversion in inversions:
        if not check_model(inversion.fingerprint, model):
            log.warning(
                "An inversion was made with another checkpoint of this family: it will not be replayed exactly."
            )
