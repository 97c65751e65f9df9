"""What arrives at a node, checked against its schema before it runs.

ComfyUI compares the types of linked sockets, and looks at numbers that stand in a widget. It does not look at values: a
wildcard socket lets anything through, a linked number has no range, and NaN lies in every range. So every node of ours
is checked here, input by input and then together, by the types of its sockets alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from torch import Tensor

from .input_fits import check_together
from .quoting import quoted
from .socket_values import complaint


def check_names(declared: Sequence[Any], values: Mapping[str, Any]) -> None:
    """Raise ValueError for inputs that the schema does not have, such as one too many of a growing input."""
    known = {one.id for one in declared}
    for name in values:
        if name in known:
            continue
        growing = {one.id: one.template for one in declared if hasattr(one, "template")}
        template = growing.get(name.split(".")[0])
        if template is not None and hasattr(template, "names"):
            group, most = name.split(".")[0], len(template.names)
            raise ValueError(f"{quoted(name)} is one too many: {group} takes {most} at most.")
        raise ValueError(f"{quoted(name)} is no input of this node; remove it.")


def check_inputs(declared: Sequence[Any], values: Mapping[str, Any], choices_too: bool = True) -> None:
    """Raise ValueError, in one sentence that names the input, for a value that its socket does not stand for.

    declared: the inputs of a schema. values: by the names of the inputs; those of a growing input as a mapping.
    choices_too: whether a COMBO must be one of its options; false where files come and go behind them.
    """
    arrived = list(_arrived(declared, values))
    for name, one, value in arrived:
        if value is None and one.optional:
            continue
        kinds = _kinds(one)
        if "*" in kinds:
            continue
        if kinds == ["COMBO"]:
            wrong = complaint(["STRING"], value) or (_wrong_choice(one, value) if choices_too else None)
        elif kinds in (["INT"], ["FLOAT"]):
            wrong = _wrong_number(one, value, Integral if kinds == ["INT"] else Real)
        else:
            wrong = complaint(kinds, value)
        if wrong:
            raise ValueError(f"{name} {wrong}")
    check_together({name: (_kinds(one), value) for name, one, value in arrived if value is not None})


def masks_as_batches(declared: Sequence[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with every MASK [H, W] as [1, H, W]: a node sees masks in this form alone, [B, H, W]."""
    kinds = {one.id: _kinds(getattr(getattr(one, "template", None), "input", one)) for one in declared}
    return {name: _as_batch(value) if "MASK" in kinds.get(name, ()) else value for name, value in values.items()}


def _as_batch(masks: Any) -> Any:
    """One MASK, or those of a growing input by their names, with a batch dimension."""
    if isinstance(masks, Mapping):
        return {name: _as_batch(mask) for name, mask in masks.items()}
    return masks[None] if isinstance(masks, Tensor) and masks.ndim == 2 else masks


def _arrived(declared: Sequence[Any], values: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(name, input, value) of every input with a value; of a growing one, of all that are in use or have to be."""
    for one in declared:
        if one.id not in values:
            continue
        value = values[one.id]
        if not hasattr(getattr(one, "template", None), "names"):
            yield one.id, one, value
            continue
        needed = one.template.names[: one.template.min]
        for name, entry in (value or {}).items():
            if entry is not None or name in needed:
                yield f"{one.id}.{name}", one.template.input, entry


def _kinds(one: Any) -> list[str]:
    """The types of socket that an input takes."""
    accepted = getattr(getattr(one, "template", None), "allowed_types", None)
    if accepted is not None:
        return [kind.io_type for kind in accepted]
    return str(one.get_io_type()).split(",")


def _wrong_choice(one: Any, value: Any) -> str | None:
    if value in one.options:
        return None
    return f"is {quoted(value)}; choose one of {quoted(', '.join(map(str, one.options)))}."


def _wrong_number(one: Any, value: Any, kind: type) -> str | None:
    if not isinstance(value, kind):
        expected = "a whole number" if kind is Integral else "a number"
        return f"is {quoted(value)}; it must be {expected}."
    if value != value or value in (math.inf, -math.inf):
        return f"is {value}; it must be a finite number."
    if one.min is not None and value < one.min:
        return f"is {quoted(value)}; it must be {one.min} or more."
    if one.max is not None and value > one.max:
        return f"is {quoted(value)}; it must be {one.max} or less."
    return None
