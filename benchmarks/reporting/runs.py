"""The runs behind a report, numbered in the order in which it shows their results."""

from __future__ import annotations

from pathlib import Path

from .origin import Origin, origins


class Runs:
    """Gives every run a number when its first result is shown."""

    def __init__(self) -> None:
        self._origins: dict[tuple[str, str], Origin] = {}  # by command and commit: a run writes several files

    def behind(self, path: Path) -> str:
        """`run 3` or `runs 3, 4`, each a link into the list, and what is wrong with them; a sentence where nobody
        noted what made the file.
        """
        numbers = [self._number(origin) for origin in origins(path)]
        if not numbers:
            return "made by nobody noted which command"
        links = ", ".join(f"[{number}](#run-{number})" for number in numbers)
        wrong = "".join(f". **{caveat}**" for caveat in sorted({one.caveat for one in origins(path)} - {""}))
        return f"run{'s' if len(numbers) > 1 else ''} {links}{wrong}"

    def listed(self) -> str:
        """The list that the links lead to."""
        return "\n".join(
            f'{number}. <a id="run-{number}"></a>{origin}' for number, origin in enumerate(self._origins.values(), 1)
        )

    def _number(self, origin: Origin) -> int:
        run = (origin.command, origin.commit)
        self._origins.setdefault(run, origin)
        return list(self._origins).index(run) + 1
