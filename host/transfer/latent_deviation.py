"""Latent deviation (guidance/deviation.py) as a SAMPLER: within a window of steps the structure's replay leans towards
the appearance, whose x0 is carried to where it matches: the image itself, by matches that are found once, or as the
paper has it the model's estimate at every step, by DIFT features (correspondence/dift.py).
"""

import logging
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.windows import DEVIATION, Window
from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.match import FIELD
from ...correspondence.warp import warp
from ...guidance.deviation import DeviationParams, deviate
from ...inversion.types import Inversion
from ..matching.dift_features import dift_of_x0
from ..matching.matched import matched
from ..models.architecture import network_of
from ..models.unet import has_up_blocks
from ..runtime.latents import framed, without_frame
from ..runtime.supported import SUPPORTED
from .adain_operation import mask_at, per_output
from .found_guidance import Matching
from .given_or_found import GivenOrFound
from .model_patch import check_inversions
from .noise_map_sampler import BeforeStep, NoiseMapSampler, batched
from .plan import Appearance
from .references import ModelCall, RecordedReference
from .session_checks import check_number

log = logging.getLogger("appearance_transfer")

FOUND, PROGRESSIVE, INITIAL, NONE = MATCHINGS = ("found", "progressive", "initial", "none")


@dataclass(frozen=True)
class DeviationSettings:
    """The parameters of Fine-grained Appearance Transfer (Ye et al., arXiv 2311.16513); `paper` has its defaults.

    matching: found, objects and matches once, by `by`, where none are given; progressive, anew at every step of the
        window, between what the model takes the two latents for; initial, once, between the two images; none, every
        position with itself, for comparison. With found the appearance's x0 is the image itself, which costs no
        evaluation; with the others the model's estimate of it at each step.
    dift: of progressive and initial.
    """

    mixing: DeviationParams = DeviationParams(keep_noise=1.0)
    window: Window = DEVIATION
    matching: str = FOUND
    dift: DiftSettings = DiftSettings()
    by: Matching = Matching(FIELD, within=True)

    @classmethod
    def paper(cls, **settings: Any) -> "DeviationSettings":
        """Section 4 of the paper: matched and estimated anew at every step, of which each is predicted twice."""
        return cls(**{"mixing": DeviationParams(), "matching": PROGRESSIVE} | settings)

    @property
    def estimated(self) -> bool:
        """Whether the appearance's x0 is the model's estimate at each step."""
        return self.matching != FOUND


class DeviationSampler(NoiseMapSampler):
    """Replays the structure, by deviated steps within the window. Nothing stays on it after a run."""

    def __init__(
        self,
        structure: Inversion,
        appearance: Inversion,
        settings: DeviationSettings,
        *,
        mask: Tensor | None = None,
        appearance_mask: Tensor | None = None,
        correspondence: Correspondence | None = None,
    ):
        """mask: [B or 1, H, W] in 0..1, where the output deviates. appearance_mask: what of the appearance may match.
        correspondence: matches to take in place of those that `settings` asks for.

        Raises ValueError for inversions that do not fit each other, and for masks or matches of other images.
        """
        super().__init__(structure)
        self.appearance = appearance
        self.settings = settings
        self.mask = mask
        self.appearance_mask = appearance_mask
        self.correspondence = correspondence
        check_number(appearance, structure.images)
        self._check_size()
        self._check_masks()

    def before_steps(self, guider: Any, latent: Tensor, extra_args: dict[str, Any]) -> BeforeStep | None:
        check_inversions(guider.model_patcher, (self.inversion, self.appearance))
        self._check_features(guider)
        if self.correspondence is not None and self.correspondence.images != len(latent):
            raise ValueError(
                f"The matches are of {self.correspondence.images} image(s) and the batch to sample holds "
                f"{len(latent)}. Match as many images as are sampled."
            )
        percent_to_sigma = guider.model_patcher.get_model_object("model_sampling").percent_to_sigma
        steps = self.settings.window.steps(self.inversion.schedule.sigmas, percent_to_sigma)
        nothing = self._why_nothing_happens(steps)
        if nothing:
            log.warning("Latent Deviation has no effect: %s", nothing)
            return None
        log.info(
            "Latent deviation on executed steps %d-%d of %d%s; %d evaluations of the model besides, for matches and "
            "the appearance.",
            steps[0], steps[-1], self.inversion.steps,
            "" if self.settings.mixing.keep_noise == 1 else ", each of which is predicted twice",
            self._extra_evaluations(len(latent), len(steps)),
        )  # fmt: skip
        return _Run(self, guider, latent, extra_args, frozenset(steps)).before_step

    def _extra_evaluations(self, outputs: int, steps: int) -> int:
        """Evaluations of the appearance at every step, and of both images' DIFT features as often as they are. What is
        found says itself what it takes.
        """
        matched = {FOUND: 0, PROGRESSIVE: steps, INITIAL: 1, NONE: 0}[self.settings.matching]
        times = matched if self.correspondence is None else 0
        estimated = RecordedReference(self.appearance).distinct.images if self.settings.estimated else 0
        of_matching = (outputs + self.appearance.images) * self.settings.dift.ensemble * times
        return estimated * steps + of_matching

    def _why_nothing_happens(self, steps: list[int]) -> str:
        if self.settings.mixing.plain:
            return "delta is 0, or keep_latent and keep_noise are both 1."
        if self.mask is not None and not self.mask.any():
            return "the mask is empty. Look at it, or disconnect it."
        if not steps:
            return (
                f"its window is {self.settings.window}, and none of the {self.inversion.steps} steps of this run lies "
                "inside. Lower start_percent, raise end_percent, or run more steps."
            )
        return ""

    def _check_features(self, guider: Any) -> None:
        by_dift = self.correspondence is None and self.settings.matching in (PROGRESSIVE, INITIAL)
        if by_dift and not has_up_blocks(network_of(guider.model_patcher)):
            raise ValueError(
                f"matching is {self.settings.matching}, which needs the DIFT features of a U-Net ({SUPPORTED}), and "
                "this MODEL is none. Connect matches that were made with such a checkpoint, or set matching to found."
            )

    def _check_size(self) -> None:
        laid_over = self.settings.matching == NONE and self.correspondence is None
        if laid_over and self.appearance.size != self.inversion.size:
            raise ValueError(
                "matching is none, which lays the appearance over the structure as it is, but their inversions are "
                f"{self.appearance.extent} and {self.inversion.extent} (latent pixels). Set matching to progressive, "
                "connect matches, or invert an appearance of the structure's size."
            )

    def _check_masks(self) -> None:
        for name, mask, inversion in (
            ("mask", self.mask, self.inversion),
            ("appearance mask", self.appearance_mask, self.appearance),
        ):
            if mask is not None and len(mask) not in (1, inversion.images):
                raise ValueError(
                    f"The {name} holds {len(mask)} images and its inversion {inversion.images}. "
                    "Connect one mask for all, or one for each."
                )
        if self.appearance_mask is not None and not self.appearance_mask.any():
            raise ValueError(
                "The appearance mask is empty, so nothing of the appearance may match. Look at it, or disconnect it."
            )


class _Run:
    """One sampling run with its guider: what it asks the model besides, and the matches it has found."""

    def __init__(
        self, sampler: DeviationSampler, guider: Any, latent: Tensor, extra_args: dict[str, Any], steps: frozenset[int]
    ):
        self.settings = sampler.settings
        self.steps = steps
        self.schedule = sampler.inversion.schedule
        self.guider = guider
        self.model_options: dict[str, Any] = extra_args["model_options"]
        self.seed = extra_args["seed"]
        self.structure = RecordedReference(sampler.inversion)
        self.appearance = RecordedReference(sampler.appearance)
        entry = Appearance(
            sampler.appearance,
            mask=sampler.mask,
            appearance_mask=sampler.appearance_mask,
            correspondence=sampler.correspondence,
        )
        self.known = GivenOrFound([entry], self.settings.matching == FOUND, self.settings.by)
        self.mask = per_output(mask_at(sampler.mask, latent), latent)
        self.appearance_mask = per_output(sampler.appearance_mask, latent)
        self.matches = sampler.correspondence
        self.matched_again = self.matches is None and self.settings.matching == PROGRESSIVE

    def before_step(self, x: Tensor, denoised: Tensor, i: int) -> tuple[Tensor, Tensor]:
        """x and the estimate of x0 [B, C, h, w] that step i is taken from."""
        if i not in self.steps:
            return x, denoised
        sigma = x.new_full((x.shape[0],), self.schedule.sigmas[i])
        call = ModelCall(self.guider, sigma, self.model_options, self.seed)
        self._find(call, x)
        appearance_x0 = self.appearance.estimate(call) if self.settings.estimated else self.appearance.inversion.x0
        warped = self._warped(appearance_x0.to(denoised), denoised)
        a, _ = self.schedule.pair(i)
        return deviate(x, denoised, warped, self.mask, a, lambda at: self._guided(at, sigma), self.settings.mixing)

    def _find(self, call: ModelCall, x: Tensor) -> None:
        """Take over what is found at the first step of the window."""
        if self.known.prepare(call, self.structure, [self.appearance]):
            self.mask = per_output(mask_at(self.known.output_mask(0), x), x)
            self.matches = self.known.matches(0)

    def _guided(self, x: Tensor, sigma: Tensor) -> Tensor:
        x = framed(x, self.guider.inner_model.latent_format)
        return without_frame(self.guider(x, sigma, model_options=self.model_options, seed=self.seed))

    def _warped(self, appearance_x0: Tensor, denoised: Tensor) -> Tensor:
        """The appearance's x0 [b, C, h, w] where it matches the output's [B, C, h, w]; elsewhere the output's own."""
        if self.matched_again:
            self.matches = self._match(denoised, appearance_x0)
        elif self.matches is None and self.settings.matching == INITIAL:
            self.matches = self._match(
                batched(self.structure.inversion.x0, denoised), self.appearance.inversion.x0.to(denoised)
            )
        appearance_x0 = batched(appearance_x0, denoised)
        return appearance_x0 if self.matches is None else warp(appearance_x0, self.matches, fallback=denoised)

    def _match(self, structure: Tensor, appearance: Tensor) -> Correspondence:
        """Matches between the positions of two latents x0, each looked at under the text of its inversion."""
        asking = self._features(self.structure, structure)
        offering = batched(self._features(self.appearance, appearance), asking)
        size = (structure.shape[-2], structure.shape[-1])
        return matched(Features(asking, size), Features(offering, size), appearance_mask=self.appearance_mask)

    def _features(self, reference: RecordedReference, x0: Tensor) -> Tensor:
        """DIFT features of x0 at its own resolution, so that every position of the latent has its match."""
        prompt = reference.prompt(self.guider, x0, self.seed)
        model = self.guider.inner_model
        features = dift_of_x0(model, x0, prompt, self.settings.dift, self.model_options)
        return interpolate(features, size=x0.shape[-2:], mode="bilinear", align_corners=False)
