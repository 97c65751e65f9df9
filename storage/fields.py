"""What values of a JSON header may be. A check returns the value; it raises ValueError that says what is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], Any]
LONGEST = 10_000
"""Characters of a text; people read them."""


def number(low: float = -math.inf, high: float = math.inf) -> Check:
    """A finite number in low..high, as a float."""

    def check(value: Any) -> float:
        real = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e300
        if not real or not low <= value <= high:
            raise ValueError(f"is {_quoted(value)} where {_range('a number', low, high)} is needed")
        return float(value)

    return check


def whole(low: int = -(2**63), high: int = 2**64 - 1) -> Check:
    """A whole number in low..high."""

    def check(value: Any) -> int:
        if type(value) is not int or not low <= value <= high:
            raise ValueError(f"is {_quoted(value)} where {_range('a whole number', low, high)} is needed")
        return value

    return check


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"is {_quoted(value)} where true or false is needed")
    return value


def text(value: Any) -> str:
    """A text."""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"is {_quoted(value)} where a text of at most {LONGEST} characters is needed")
    return value


def one_of(*choices: str) -> Check:
    """One of some texts."""

    def check(value: Any) -> str:
        if value not in choices or not isinstance(value, str):
            raise ValueError(f"is {_quoted(value)} where one of {', '.join(map(repr, choices))} is needed")
        return value

    return check


def optional(entry: Check) -> Check:
    """A value of one kind, or None."""

    def check(value: Any) -> Any:
        return None if value is None else entry(value)

    return check


def list_of(entry: Check, most: int) -> Check:
    """A list of at most `most` values of one kind."""

    def check(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"is {_quoted(value)} where a list of at most {most} values is needed")
        return [_named(f"entry {position}", entry, found) for position, found in enumerate(value)]

    return check


def objects_of(entry: Check) -> Check:
    """An object whose values are of one kind."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"is {_quoted(value)} where an object is needed")
        return {name: _named(repr(name[:40]), entry, found) for name, found in value.items()}

    return check


texts = objects_of(text)
"""An object whose values are texts."""


def scalar(value: Any) -> Any:
    """A finite number, a text, true, false or None, as it is."""
    if value is None or isinstance(value, (bool, str)):
        return value if value is None or isinstance(value, bool) else text(value)
    number()(value)
    return value


def any_of(*checks: Check) -> Check:
    """What one of the checks takes; where none does, the last one says why."""

    def check(value: Any) -> Any:
        for one in checks[:-1]:
            try:
                return one(value)
            except ValueError:
                continue
        return checks[-1](value)

    return check


def record(**fields: Check) -> Check:
    """An object with these entries; what else it has is left out."""

    def check(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValueError(f"is {_quoted(value)} where an object is needed")
        try:
            return read(value, fields)
        except KeyError as error:
            raise ValueError(f"lacks {error}") from error

    return check


def read(values: Mapping[str, Any], fields: Mapping[str, Check]) -> dict[str, Any]:
    """The entries of an object, each checked. Raises KeyError where one is missing, ValueError where one is wrong."""
    return {name: _named(repr(name), check, values[name]) for name, check in fields.items()}


def _named(name: str, check: Check, value: Any) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from error


def _range(what: str, low: float, high: float) -> str:
    if math.isfinite(low) and math.isfinite(high):
        return f"{what} from {low:g} to {high:g}"
    return what


def _quoted(value: Any) -> str:
    """A value as a message quotes it: not all of it, where it is long."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "infinite"
    text = f"a list of {len(value)}" if isinstance(value, list) else "an object" if isinstance(value, dict) else None
    if text is None:
        # a whole number of thousands of digits cannot even be written
        text = "a huge number" if isinstance(value, int) and abs(value) > 2**80 else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
