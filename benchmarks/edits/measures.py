"""The measures of an edit on pocket scenes, image by image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...evaluation.overlap import intersection_over_union
from ...evaluation.part_colors import relative_part_color_error
from ...inversion.quality import psnr
from ...pocket.render import Rendering, render
from ...pocket.scene import COLORS, PARTS, Scene
from ...pocket.segmenter import segment_parts
from .classifier import SceneClassifier
from .tasks import TRAITS, Edit

EDGE = 1 / 64
"""Of an image's width: the strip around an animal that has something of its color."""
BODY = PARTS.index("body")
LIT = 0.85
"""Of a coat's color in the light of the pocket world, on the mean over a body."""


def measure(
    edit: Edit, scenes: Sequence[Scene], outputs: Tensor, classifier: SceneClassifier | None
) -> dict[str, list[float]]:
    """Values by measure, one per scene, for the edited images [B, H, W, 3].

    success: 1 where the judge reads the target off the output (of a color: `body_colors`), else 0.
    silhouette_iou: of the image's true silhouette and the output's, as pocket/segmenter.py sees it. An edit that
        changes the species cannot have 1; what the renderer itself has stands in the row of the perfect answer.
    background_psnr: in dB against the image, away from where it or the perfect answer has the animal.
    body_color_error, of edits of the color: 0 is the perfect answer's mean color of the body, 1 is the image's.

    classifier: None will do for an edit that needs none.
    """
    size = outputs.shape[1]
    edge = round(EDGE * size)
    before, answer = (render(some, size) for some in (scenes, [edit.answer(scene) for scene in scenes]))
    outside = F.max_pool2d(before.mask + answer.mask, 2 * edge + 1, stride=1, padding=edge) == 0
    values = {
        "success": [float(word == edit.target) for word in read(edit, outputs, before, classifier)],
        "silhouette_iou": intersection_over_union(segment_parts(outputs) > 0, before.mask > 0.5).tolist(),
        "background_psnr": [
            psnr(output[where][None], image[where][None]).item()
            for output, image, where in zip(outputs, before.image, outside, strict=True)
        ],
    }
    if not edit.needs_classifier:
        values["body_color_error"] = [
            relative_part_color_error(outputs[i], before.image[i], body, answer.image[i], body).item()
            for i, body in enumerate(before.parts * (before.parts == BODY))
        ]
    return values


def read(edit: Edit, outputs: Tensor, truth: Rendering, classifier: SceneClassifier | None) -> list[str]:
    """Which word each output shows for the trait that is edited. Raises ValueError where a judge is needed."""
    if not edit.needs_classifier:
        return body_colors(outputs, truth.parts)
    if classifier is None:
        raise ValueError(f"{edit.name} needs a judge of the {edit.trait}")
    return classifier.predictions(outputs)[edit.trait]


def body_colors(outputs: Tensor, parts: Tensor) -> list[str]:
    """The named color that is nearest to the mean of each [B, H, W, 3] where the body is, [B, H, W] labels."""
    named = LIT * torch.tensor([COLORS[word] for word in TRAITS["color"]])
    means = torch.stack([output[labels == BODY].mean(0) for output, labels in zip(outputs, parts, strict=True)])
    return [TRAITS["color"][index] for index in torch.cdist(means, named).argmin(1).tolist()]
