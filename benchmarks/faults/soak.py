"""Many prompts in one server: memory flat, nothing left behind, and the same pixels at the end as at the beginning."""

from __future__ import annotations

import random
from collections.abc import Iterator

from ...developer.client import Client
from .left_behind import left_behind
from .part import Result, Setting
from .served import census, digest, served, transfer

SETTLING = 10
"""Prompts until caches and allocators are as large as they get; of a short run, as many as are counted."""

MOST_PER_PROMPT = 0.2 * 2**20
"""Bytes by which memory may grow per prompt; what one transfer of this size makes is more."""

MOST_AT_ONCE = 32 * 2**20
"""Bytes that allocators may take more at the end than at the beginning, however few the prompts."""


def soak(setting: Setting) -> Iterator[Result]:
    """The part of the benchmark."""
    with served(setting.comfyui, setting.home) as client:
        yield from try_soak(client, setting.draw, setting.count)


def try_soak(client: Client, draw: random.Random, count: int) -> Iterator[Result]:
    """`count` transfers, each with a strength and a seed of its own."""
    before = digest(client, transfer())
    for _ in range(min(SETTLING, count)):
        digest(client, _another(draw))
    counted = census(client)
    for _ in range(count):
        digest(client, _another(draw))
        yield Result("prompts")
    after = census(client)
    grown = after["memory"] - counted["memory"]
    flat = grown <= max(MOST_PER_PROMPT * count, MOST_AT_ONCE)
    yield Result("memory flat", "" if flat else f"{grown / count / 2**20:.2f} MiB more per prompt")
    yield from left_behind(counted, after, f"{count} prompts")
    same = digest(client, transfer()) == before
    yield Result("same pixels at the end", "" if same else "the same graph gives other pixels")


def _another(draw: random.Random) -> dict:
    return transfer(draw.uniform(0.1, 1.0), draw.randrange(2**32))
