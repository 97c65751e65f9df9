"""What the report is made of: sections, the benchmarks that fill them, and what of their results is shown."""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[str, ...]
"""A command line behind `python dev.py bench`: the benchmark's name and its options."""


@dataclass(frozen=True)
class Table:
    """Result files to show as tables, by a pattern, with a sentence above them.

    metrics: these alone, in this order. methods: rows whose method begins with one of these. Empty: all there are.
    """

    file: str
    about: str = ""
    metrics: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportImage:
    """Images to show, by a pattern of their files' names, with a sentence above them."""

    file: str
    about: str


@dataclass(frozen=True)
class Section:
    """full, quick: the benchmarks that make its results; the quick report leaves a section out that has no `quick`.

    timed: they measure time, so nothing may run beside them.
    """

    title: str
    about: str
    shows: tuple[Table | ReportImage, ...]
    full: tuple[Words, ...]
    quick: tuple[Words, ...] = ()
    timed: bool = False
