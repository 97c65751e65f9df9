"""Scenes to images, with the truth about every pixel.

Each solid is a sphere swept along a segment with linearly changing radius. Seen orthographically its visible depth at
(x, y) is the maximum over t in 0..1 of z(t) + sqrt(Q(t)), where Q(t) = r(t)^2 - |(x, y) - c(t)|^2 is a quadratic in
t. With Q concave the sum is concave too, so its maximum has a closed form and no marching is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .anatomy import SLOT_PARTS, SLOTS, Solids, solids
from .coats import pattern
from .scene import COATS, PARTS, Scene

_SUPERSAMPLING = 2
_FAR = -1e4
_PATTERNED = tuple(part in ("body", "neck") for part in PARTS)


@dataclass(frozen=True)
class Rendering:
    """B images of H x W pixels.

    image: [B, H, W, 3] float32 in 0..1. parts: [B, H, W] int64 indexes into PARTS. mask: [B, H, W] float32, 1 on the
    animal. surface: [B, H, W, 3] float32: instance (which leg, which ear), position along the part 0..1, angle around
    it 0..1 (0.5 is the upper or front side); zero on the background.
    """

    image: Tensor
    parts: Tensor
    mask: Tensor
    surface: Tensor


def render(scenes: Sequence[Scene], size: int = 128, device: torch.device | str = "cpu") -> Rendering:
    """Render square images of `size` pixels. Works through the scenes in batches that suit the device.

    Raises ValueError without scenes or with a size below 8.
    """
    if not scenes:
        raise ValueError("There is no scene to render.")
    if size < 8:
        raise ValueError(f"An image of {size} pixels is too small to render; at least 8 are needed.")
    device = torch.device(device)
    batch = 4 if device.type == "cpu" else 128
    pieces = [_render_batch(scenes[i : i + batch], size, device) for i in range(0, len(scenes), batch)]
    return Rendering(*(torch.cat(field) for field in zip(*pieces, strict=True)))


def _render_batch(scenes: Sequence[Scene], size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    fine = size * _SUPERSAMPLING
    bodies = [solids(scene) for scene in scenes]
    start, end, radii, up, side = (_stack(bodies, field, device) for field in ("start", "end", "radii", "up", "side"))
    slot, t = _visible(start, end, radii, fine)

    fine_image = _background(scenes, bodies, fine, device)
    where = torch.nonzero(slot.flatten() >= 0)[:, 0]
    image_of, slot_of = where // (fine * fine), slot.flatten()[where].long()
    solid = image_of * len(SLOTS) + slot_of
    normal = _normals(where, fine, t.flatten()[where], start, end, radii, solid)
    along, around = _surface(t.flatten()[where], normal, start, end, radii, up, side, solid, slot_of)
    part_of = torch.tensor(SLOT_PARTS, device=device)[slot_of]
    fine_image.view(-1, 3)[where] = _shade(scenes, image_of, part_of, along, around, normal)

    image = fine_image.view(len(scenes), size, _SUPERSAMPLING, size, _SUPERSAMPLING, 3).mean(dim=(2, 4))
    truth = torch.zeros(len(scenes) * fine * fine, 4, device=device)
    instances = torch.tensor([s.instance for s in SLOTS], device=device, dtype=torch.float32)
    truth[where] = torch.stack([part_of.float(), instances[slot_of], along, around], dim=1)
    truth = truth.view(len(scenes), fine, fine, 4)[:, ::_SUPERSAMPLING, ::_SUPERSAMPLING]
    parts = truth[..., 0].long()
    return image.clamp(0.0, 1.0), parts, (parts > 0).float(), truth[..., 1:].contiguous()


def _visible(start: Tensor, end: Tensor, radii: Tensor, fine: int) -> tuple[Tensor, Tensor]:
    """Depth test of all capsules: the visible slot ([B, fine, fine] int16, -1 for none) and where on its segment
    ([B, fine, fine]).
    """
    count, device = start.shape[0], start.device
    depth = torch.full((count, fine * fine), _FAR, device=device)
    slot = torch.full((count, fine * fine), -1, dtype=torch.int16, device=device)
    position = torch.zeros(count, fine * fine, device=device)
    for k in range(start.shape[1]):
        left, top, width, height = _window(start[:, k], end[:, k], radii[:, k], fine)
        columns = left[:, None] + torch.arange(width, device=device)
        rows = top[:, None] + torch.arange(height, device=device)
        z, t = _capsule((columns + 0.5) / fine, (rows + 0.5) / fine, start[:, k], end[:, k], radii[:, k])
        index = (rows[:, :, None] * fine + columns[:, None, :]).flatten(1)
        before = depth.gather(1, index)
        nearer = z > before
        depth.scatter_(1, index, torch.where(nearer, z, before))
        position.scatter_(1, index, torch.where(nearer, t, position.gather(1, index)))
        slot.scatter_(1, index, slot.gather(1, index).masked_fill(nearer, k))
    return slot.view(count, fine, fine), position.view(count, fine, fine)


def _window(start: Tensor, end: Tensor, radii: Tensor, fine: int) -> tuple[Tensor, Tensor, int, int]:
    """Per image the corner of a window that covers the capsule, all windows equally large and inside the image."""
    low = torch.minimum(start[:, :2] - radii[:, :1], end[:, :2] - radii[:, 1:])
    high = torch.maximum(start[:, :2] + radii[:, :1], end[:, :2] + radii[:, 1:])
    first = (low * fine).floor().long()
    extent = ((high * fine).ceil().long() - first).amax(0).clamp(1, fine)
    width, height = extent.tolist()
    left, top = first[:, 0].clamp(0, fine - width), first[:, 1].clamp(0, fine - height)
    return left, top, width, height


def _capsule(x: Tensor, y: Tensor, start: Tensor, end: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Depth and segment position over the grid x [B, w], y [B, h] -> two of [B, h * w]; depth _FAR where the
    capsule is not.
    """
    axis, grow = end - start, radii[:, 1] - radii[:, 0]
    squared = (grow**2 - (axis[:, :2] ** 2).sum(1)).clamp(max=-1e-5)[:, None, None]
    rise = axis[:, 2][:, None, None]
    dx, dy = (x - start[:, :1])[:, None, :], (y - start[:, 1:2])[:, :, None]
    flat = 2 * axis[:, :2, None, None]
    linear = 2 * (radii[:, 0] * grow)[:, None, None] + flat[:, 0] * dx + flat[:, 1] * dy
    constant = (radii[:, 0] ** 2)[:, None, None] - dx**2 - dy**2
    middle = linear * (-0.5 / squared)
    peak = (constant + 0.5 * linear * middle).clamp(min=0.0)
    steepness = rise * torch.rsqrt(squared**2 - squared * rise**2)
    t = (middle + steepness * peak.sqrt()).clamp(0.0, 1.0)
    inside = constant + t * (linear + squared * t)
    z = start[:, 2][:, None, None] + rise * t + inside.clamp(min=0.0).sqrt()
    return torch.where(inside > 0.0, z, _FAR).flatten(1), t.flatten(1)


def _normals(where: Tensor, fine: int, t: Tensor, start: Tensor, end: Tensor, radii: Tensor, solid: Tensor) -> Tensor:
    """Unit normals [N, 3] of the visible spots: from the center of the sphere at t to the spot."""
    start, end, radii = start.flatten(0, 1)[solid], end.flatten(0, 1)[solid], radii.flatten(0, 1)[solid]
    center = start[:, :2] + t[:, None] * (end - start)[:, :2]
    radius = radii[:, 0] + t * (radii[:, 1] - radii[:, 0])
    spot = torch.stack([(where % fine) + 0.5, (where // fine) % fine + 0.5], dim=1) / fine
    flat = (spot - center) / radius[:, None]
    towards = (1.0 - (flat**2).sum(1)).clamp(min=0.0).sqrt()
    return torch.cat([flat, towards[:, None]], dim=1)


def _surface(
    t: Tensor,
    normal: Tensor,
    start: Tensor,
    end: Tensor,
    radii: Tensor,
    up: Tensor,
    side: Tensor,
    solid: Tensor,
    slot: Tensor,
) -> tuple[Tensor, Tensor]:
    """Position along the part (caps included) and angle around it, both 0..1, of spots on the solids."""
    start, end, radii = start.flatten(0, 1)[solid], end.flatten(0, 1)[solid], radii.flatten(0, 1)[solid]
    length = (end - start).norm(dim=1)
    lean = ((end - start) * normal).sum(1) / length
    radius = radii[:, 0] + t * (radii[:, 1] - radii[:, 0])
    position = (t * length + radius * lean + radii[:, 0]) / (length + radii.sum(1))
    first = torch.tensor([s.first for s in SLOTS], device=t.device)[slot]
    span = torch.tensor([s.span for s in SLOTS], device=t.device)[slot]
    height = (up.flatten(0, 1)[solid] * normal).sum(1)
    across = (side.flatten(0, 1)[solid] * normal).sum(1)
    around = torch.atan2(across, height) / (2 * math.pi) + 0.5
    return first + span * position.clamp(0.0, 1.0), around


def _shade(
    scenes: Sequence[Scene], image: Tensor, part: Tensor, along: Tensor, around: Tensor, normal: Tensor
) -> Tensor:
    """Colors [N, 3] of the visible spots: part color and coat pattern under one soft light."""
    device = normal.device
    plain = torch.tensor([s.part_colors for s in scenes], device=device)
    second = torch.tensor([s.coat_color for s in scenes], device=device)
    coat = torch.tensor([COATS.index(s.coat) for s in scenes], device=device)
    phase = torch.tensor([s.coat_phase for s in scenes], device=device)
    color = plain[image, part - 1]
    dressed = torch.nonzero(torch.tensor(_PATTERNED, device=device)[part])[:, 0]
    owner = image[dressed]
    amount = pattern(coat[owner], along[dressed], around[dressed], phase[owner])[:, None]
    color[dressed] = torch.lerp(color[dressed], second[owner], amount)
    light = _lights(scenes, device)[image]
    wrapped = (0.35 + 0.65 * (normal * light).sum(1)).clamp(min=0.0)
    return color * (0.62 + 0.44 * wrapped)[:, None] + 0.03 * wrapped[:, None] ** 4


def _lights(scenes: Sequence[Scene], device: torch.device) -> Tensor:
    azimuth, elevation = np.radians(np.array([s.light for s in scenes])).T
    level = np.cos(elevation)
    towards = np.stack([np.sin(azimuth) * level, -np.sin(elevation), np.cos(azimuth) * level], axis=1)
    return torch.tensor(towards, dtype=torch.float32, device=device)


def _background(scenes: Sequence[Scene], bodies: Sequence[Solids], fine: int, device: torch.device) -> Tensor:
    """Sky paling towards a soft horizon, calm ground, and the shade under the animal: [B, fine, fine, 3]."""
    position = (torch.arange(fine, device=device) + 0.5) / fine
    y, x = position[None, :, None], position[None, None, :]
    sky = torch.tensor([s.sky_color for s in scenes], device=device)[:, None, None, :]
    ground = torch.tensor([s.ground_color for s in scenes], device=device)[:, None, None, :]
    horizon = torch.tensor([s.horizon for s in scenes], device=device)[:, None, None]
    feet = torch.tensor([(*b.foot, b.width) for b in bodies], dtype=torch.float32, device=device)[:, :, None, None]
    below = torch.sigmoid((y - horizon) * 60.0)[..., None]
    pale = (0.92 + 0.08 * y / horizon)[..., None]
    deep = (1.04 - 0.10 * (y - horizon) / (1.0 - horizon))[..., None]
    away = ((x - feet[:, 0]) / feet[:, 2]) ** 2 + ((y - feet[:, 1]) / 0.05) ** 2
    shade = (1.0 - 0.35 * torch.exp(-(away**2)))[..., None]
    return torch.lerp(sky * pale, ground * deep, below) * shade


def _stack(bodies: Sequence[Solids], field: str, device: torch.device) -> Tensor:
    return torch.tensor(np.stack([getattr(b, field) for b in bodies]), dtype=torch.float32, device=device)
