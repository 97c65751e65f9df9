"""Wrong inputs through /prompt: every node, every input, through the real server.

For each node there is a graph that works. One of its inputs gets something wrong, in the widget or through a wildcard
socket. Promised is one sentence of ours that names the input and stays readable; a server that lives; and that the
next good graph gives the same pixels as before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...developer.client import Client, Graph, GraphError
from ...developer.object_info import AUTOGROW, MATCHING, inputs_of
from .part import Result, Setting
from .served import KEEPS_RESULTS, digest, served, transfer
from .working_graphs import OURS, working_graph

MOST_CHARACTERS = 500
GOOD_EVERY = 40  # wrong graphs between two good ones

OBJECTS = ("nothing", "a number", "a text", "an object", "a class", "an empty list", "an empty mapping")
WRONG_FOR: dict[str, tuple[str, ...]] = {
    "IMAGE": (
        "an image with NaN", "an infinite image", "no images", "an image without pixels", "an image without its batch",
        "an image of whole numbers", "an image of one channel", "a flat tensor",
    ),
    "MASK": (
        "a mask with NaN", "no masks", "a mask without pixels", "a mask of whole numbers", "an image with NaN",
        "three masks", "a mask of another shape", "a mask without its batch",
    ),
    "LATENT": (
        "a latent with NaN", "no latents", "a latent without pixels", "a latent of 16 channels",
        "a latent that is none",
    ),
    "CONDITIONING": (
        "a conditioning with NaN", "a conditioning without tokens", "a conditioning of another CLIP",
        "a conditioning without options",
    ),
    "MODEL": ("Flux", "SD3", "Lumina", "PixArt"),
    "SIGMAS": ("sigmas with NaN", "no sigmas", "one sigma", "rising sigmas", "negative sigmas"),
    "FLOAT": ("NaN", "infinity", "minus a million", "a huge number"),
    "INT": ("NaN", "infinity", "minus a million", "a huge number", "a fraction"),
}  # fmt: skip
"""The names of the wrong values of each type of socket, besides `OBJECTS`; see wrong_values/values.py."""

MAY_WORK = {
    "three masks", "a mask of another shape", "a mask without its batch", "a latent of 16 channels",
    "a conditioning of another CLIP", "rising sigmas", "one sigma",
}  # fmt: skip
"""Sound in themselves: they are refused where the node has what they do not fit."""

TEXTS = {
    "structure_points": ("[" * 100_000, '{"x":' * 50_000, "x" * 100_000, "[[1e999, 2]]", "[[" + "9" * 5000 + ", 2]]"),
    "name": ("../x", "/etc/passwd", "x" * 100_000, "\ud800", "a\x00b", "con/../../x", ""),
    "noun": ("x" * 100_000, ""),
    "levels": ("x" * 100_000, "0", "1.5"),
}
TEXTS |= {
    "appearance_points": TEXTS["structure_points"], "points": TEXTS["structure_points"], "word": TEXTS["noun"],
    "filename_prefix": TEXTS["name"],
}  # fmt: skip
"""Texts that an input of this name cannot use."""


def inputs(setting: Setting) -> Iterator[Result]:
    """The part of the benchmark."""
    with served(setting.comfyui, setting.home, *KEEPS_RESULTS) as client:
        yield from try_inputs(client, setting.draw, setting.count)


class Case(NamedTuple):
    """A wrong input. kind: what is wrong. graph: with `node` the one that gets it, at its input `name`."""

    kind: str
    name: str
    graph: Graph
    may_work: bool = False

    def __str__(self) -> str:
        node = self.graph["node"]
        value = node["inputs"].get(self.name)
        wrong = self.graph["wrong"]["inputs"]["kind"] if "wrong" in self.graph else repr(value)[:60]
        return f"{node['class_type'].removeprefix(OURS)}, {self.name} = {wrong}"


def try_inputs(client: Client, draw: random.Random, count: int) -> Iterator[Result]:
    """`count` wrong inputs, drawn from all that there are, and a good graph now and then."""
    every = cases(client.get("/object_info"))
    before = digest(client, transfer())
    for number, case in enumerate(draw.sample(every, min(count, len(every))), start=1):
        yield Result(case.kind, _failure(client, case))
        if number % GOOD_EVERY == 0:
            yield _still_good(client, before)
    yield _still_good(client, before)


def cases(info: Mapping[str, Any]) -> list[Case]:
    """Every wrong input of every node of the pack."""
    found: list[Case] = []
    for kind, about in sorted(info.items()):
        if kind.startswith(OURS):
            base = working_graph(kind, info)
            no_file = str(base["node"]["inputs"].get("name", "")).startswith("(")  # then only its name can be wrong
            for name, types, options, optional in inputs_of(about):
                if name == "name" or not no_file:
                    found += _cases_of(base, name, types, options, optional)
    return found


def _cases_of(base: Graph, name: str, types: str, options: Mapping[str, Any], optional: bool) -> Iterator[Case]:
    if types == AUTOGROW:
        template = options["template"]
        ((inner, inner_options),) = [found for section in template["input"].values() for found in section.values()]
        yield from _cases_of(base, f"{name}.{template['prefix']}0", inner, inner_options, False)
        link = base["node"]["inputs"].get(f"{name}.{template['prefix']}0")
        if link:
            many = {f"{name}.{template['prefix']}{number}": link for number in range(template["max"] + 1)}
            yield Case("one too many", f"{name}.{template['prefix']}{template['max']}", _with(base, many))
        return
    kinds = options["template"]["allowed_types"].split(",") if types == MATCHING else types.split(",")
    fitting = {"IMAGE": {"a flat tensor"}}
    for kind in kinds:
        for value in WRONG_FOR.get(kind, ()):
            of_another_kind = len(kinds) > 1 and value in ("an image without its batch", *fitting.get(kind, ()))
            if not of_another_kind:
                may_work = value in MAY_WORK or _in_range(value, options)
                yield Case(_row(kind, value), name, _linked(base, name, value), may_work)
    for value in OBJECTS:
        fits = {"a number": {"FLOAT", "INT"}, "a text": {"STRING", "COMBO"}}.get(value, set()) & set(kinds)
        if not fits and not (value == "nothing" and optional):
            yield Case("foreign objects", name, _linked(base, name, value))
    if types in ("FLOAT", "INT"):
        for number in (float("nan"), float("inf"), -1e30, 10**30, None, "seven", {}):
            yield Case("numbers in a widget", name, _with(base, {name: number}), may_work=_in_range(number, options))
    for text in TEXTS.get(name, ()) if types == "STRING" or name == "name" else ():
        yield Case("texts", name, _with(base, {name: text}), may_work=text == "" and name != "name")
    if types == "STRING":
        for text in ("x" * 100_000, "\ud800", "a\x00b"):
            yield Case("texts", name, _with(base, {name: text}), may_work=len(text) > 3)


def _in_range(value: Any, options: Mapping[str, Any]) -> bool:
    """Whether a number, or a wrong value by its name, is only too large or small for an input that has no limit."""
    above = value in (10**30, "a huge number") and "max" not in options
    return above or (value in (-1e30, "minus a million") and "min" not in options)


def _row(kind: str, value: str) -> str:
    """The line of the table that a wrong value counts in."""
    if kind in ("FLOAT", "INT"):
        return "numbers through a link"
    return {"MODEL": "transformer models"}.get(kind, f"{kind.lower()}s" if kind != "SIGMAS" else "sigmas")


def _linked(base: Graph, name: str, value: str) -> Graph:
    wrong = {"class_type": "Reliability_WrongValue", "inputs": {"kind": value}}
    return _with(base, {name: ["wrong", 0]}) | {"wrong": wrong}


def _with(base: Graph, changes: Mapping[str, Any]) -> Graph:
    node = base["node"]
    return base | {"node": {**node, "inputs": node["inputs"] | dict(changes)}}


def _failure(client: Client, case: Case) -> str:
    """What is not as promised, or nothing."""
    try:
        outcome = client.queue(case.graph)
        if outcome.refused:  # the node has outputs before it that could still run
            raise outcome.refused
    except GraphError as error:
        broken = _broken_promise(case, error)
        return f"{case}: {broken}" if broken else ""
    return "" if case.may_work else f"{case}: it was taken"


def _broken_promise(case: Case, error: GraphError) -> str:
    text = str(error)
    if error.kind == "lost":
        return f"the server is gone ({text[:200]})"
    if error.node != "node":
        return f"another node is blamed, {error.node}: {text[:200]}"
    if error.kind == "failed" and error.exception != "ValueError":
        return f"{error.exception}: {text[:200]}"
    if len(text) > MOST_CHARACTERS:
        return f"{len(text)} characters: {text[:100]} ..."
    words = re.split(r"[._]", re.sub(r"\d+$", "", case.name))
    if not any(word.rstrip("s") in text.lower() for word in words):
        return f"the input is not named: {text[:200]}"
    return ""


def _still_good(client: Client, before: str) -> Result:
    try:
        same = digest(client, transfer()) == before
    except GraphError as error:
        return Result("good graphs between", f"{error.kind}: {error}")
    return Result("good graphs between", "" if same else "the same graph gives other pixels")
