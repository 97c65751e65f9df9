"""The measures of an edit on pocket scenes, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...evaluation.overlap import intersection_over_union
from ...evaluation.part_colours import relative_part_colour_error
from ...inversion.quality import psnr
from ...pocket.render import Rendering, render
from ...pocket.scene import COLOURS, PARTS, Scene
from ...pocket.segmenter import segment_parts
from .judge import Judge
from .tasks import SIZE, TRAITS, Edit

EDGE = 2
"""Pixels around an animal that have something of its colour."""
BODY = PARTS.index("body")
LIT = 0.85
"""Of a coat's colour in the light of the pocket world, on the mean over a body."""


def measure(edit: Edit, scenes: Sequence[Scene], outputs: Tensor, judge: Judge | None) -> dict[str, list[float]]:
    """Values by measure, one per scene, for the edited pictures [B, H, W, 3].

    success: 1 where the judge reads the target off the output (of a colour: `body_colours`), else 0.
    silhouette_iou: of the picture's true silhouette and the output's, as pocket/segmenter.py sees it. An edit that
        changes the species cannot have 1; what the renderer itself has stands in the row of the perfect answer.
    background_psnr: in dB against the picture, EDGE away from where it or the perfect answer has the animal.
    body_colour_error, of edits of the colour: 0 is the perfect answer's mean colour of the body, 1 is the picture's.

    judge: None will do for an edit that needs none.
    """
    before, answer = (render(some, SIZE) for some in (scenes, [edit.answer(scene) for scene in scenes]))
    outside = F.max_pool2d(before.mask + answer.mask, 2 * EDGE + 1, stride=1, padding=EDGE) == 0
    values = {
        "success": [float(word == edit.target) for word in read(edit, outputs, before, judge)],
        "silhouette_iou": intersection_over_union(segment_parts(outputs) > 0, before.mask > 0.5).tolist(),
        "background_psnr": [
            psnr(output[where][None], image[where][None]).item()
            for output, image, where in zip(outputs, before.image, outside, strict=True)
        ],
    }
    if not edit.needs_judge:
        values["body_colour_error"] = [
            relative_part_colour_error(outputs[i], before.image[i], body, answer.image[i], body).item()
            for i, body in enumerate(before.parts * (before.parts == BODY))
        ]
    return values


def read(edit: Edit, outputs: Tensor, truth: Rendering, judge: Judge | None) -> list[str]:
    """Which word each output shows for the trait that is edited. Raises ValueError where a judge is needed."""
    if not edit.needs_judge:
        return body_colours(outputs, truth.parts)
    if judge is None:
        raise ValueError(f"{edit.name} needs a judge of the {edit.trait}")
    return judge.verdicts(outputs)[edit.trait]


def body_colours(outputs: Tensor, parts: Tensor) -> list[str]:
    """The named colour that is nearest to the mean of each [B, H, W, 3] where the body is, [B, H, W] labels."""
    named = LIT * torch.tensor([COLOURS[word] for word in TRAITS["colour"]])
    means = torch.stack([output[labels == BODY].mean(0) for output, labels in zip(outputs, parts, strict=True)])
    return [TRAITS["colour"][index] for index in torch.cdist(means, named).argmin(1).tolist()]
