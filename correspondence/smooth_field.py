"""A smooth field through unsure matches: a robust affine map, and kriging of what it leaves over.

Points are (y, x) in 0..1 of the boxes of two objects (`Box`). Nothing is followed exactly: the field bends as far as
many matches agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BEND_LENGTH = 0.15
"""How far around a point that a user has given the field goes along, in box units."""


@dataclass(frozen=True)
class FieldSettings:
    """rounds, sigma, ridge: of the affine map: rounds of reweighting, the residual (Geman and McClure 1985) that halves
    a match's pull, and the pull of the identity. length, nugget: of the kriging: how far a residual reaches, and how
    far it is distrusted.
    """

    rounds: int = 20
    sigma: float = 0.25
    ridge: float = 1e-3
    length: float = 0.2
    nugget: float = 0.1


@dataclass(frozen=True, eq=False)
class SmoothField:
    """A map between the boxes of two objects, called with points [n, 2].

    affine: [3, 2], of (y, x, 1). seeds, pull: [s, 2] each, what bends it.
    """

    affine: Tensor
    seeds: Tensor
    pull: Tensor
    length: float

    def __call__(self, points: Tensor) -> Tensor:
        bent = gaussian(points.to(self.seeds), self.seeds, self.length) @ self.pull
        return (_with_one(points.to(self.seeds)) @ self.affine + bent).to(points)


def fit_field(points: Tensor, targets: Tensor, weight: Tensor, settings: FieldSettings | None = None) -> SmoothField:
    """The field that sends points [n, 2] near their targets [n, 2], each as far as its weight [n] above 0 goes."""
    expected = settings or FieldSettings()
    points, targets, weight = (one.cpu().double() for one in (points, targets, weight))  # accelerators may lack fp64
    affine = robust_affine(points, targets, weight, expected)
    nugget = torch.diag(expected.nugget * weight.max() / weight)
    kernel = gaussian(points, points, expected.length)
    return SmoothField(
        affine, points, torch.linalg.solve(kernel + nugget, targets - _with_one(points) @ affine), expected.length
    )


def bend(field: Tensor, points: Tensor, forced: Tensor, targets: Tensor, length: float = BEND_LENGTH) -> Tensor:
    """The values [n, 2] of a field at points [n, 2], bent so that it sends the points `forced` [k, 2], which are the
    first k of `points`, to `targets` [k, 2], and their neighborhood along with them.
    """
    here, there, sent = (one.cpu().double() for one in (forced, targets, field[: len(forced)]))
    pull = torch.linalg.solve(gaussian(here, here, length) + 1e-6 * torch.eye(len(here)).to(here), there - sent)
    return field + (gaussian(points.cpu().double(), here, length) @ pull).to(field)


def robust_affine(points: Tensor, targets: Tensor, weight: Tensor, settings: FieldSettings) -> Tensor:
    """[3, 2]: the affine map of most of the matches, by reweighted least squares with a ridge towards the identity."""
    identity = torch.cat([torch.eye(2), torch.zeros(1, 2)]).to(points)
    design, pull = _with_one(points), weight
    affine = identity
    for _ in range(settings.rounds):
        weighted = design * (pull / pull.sum())[:, None]
        normal = weighted.T @ design + settings.ridge * torch.eye(3).to(points)
        affine = identity + torch.linalg.solve(normal, weighted.T @ (targets - design @ identity))
        distance = (targets - design @ affine).square().sum(1)
        pull = weight / (1 + distance / settings.sigma**2).square()
    return affine


def _with_one(points: Tensor) -> Tensor:
    return torch.cat([points, torch.ones_like(points[:, :1])], dim=1)


def gaussian(points: Tensor, seeds: Tensor, length: float) -> Tensor:
    """[n, s]: exp(-|distance|^2 / (2 length^2)) of points [n, 2] and seeds [s, 2]."""
    return torch.exp(torch.cdist(points, seeds).square() / (-2 * length**2))
