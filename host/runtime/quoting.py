"""What a user typed, quoted in a message that stays readable."""

import reprlib
from typing import Any

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlong = 40


def quoted(value: Any) -> str:
    """The value as Python writes it, cut in its middle where it is long: at most 100 characters of a text."""
    return _SHORT.repr(value)
