"""Part *files*: every file that the pack reads, damaged in every way, through its own loader.

As promised is a sentence, or something that can be used. Not as promised: another exception, a wrong result, more than
25 seconds, memory out of proportion, or a link to elsewhere that was followed.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from .judged_load import fault
from .model_subjects import models, pocket
from .part import Result, Setting
from .subjects import Subject, image, manifest, records

OUTSIDE = "link out of the folder"
ODD_POSITIONS = (
    "pipe", "link to a pipe", "link to a device", "folder", "dangling link", "circle", OUTSIDE, "missing",
)  # fmt: skip
POSITION_FRACTION = 0.05


def files(setting: Setting) -> Iterator[Result]:
    """Damaged files of every kind, by their shares of `setting.count`."""
    setting.host()  # loaders ask ComfyUI for folders and devices
    position = setting.home / "fuzzed"
    position.mkdir()
    subjects = [*records(), manifest(position), image(position), pocket(position), *models()]
    total = sum(subject.fraction for subject in subjects)
    for subject in subjects:
        created = not subject.path.parent.exists()
        subject.path.parent.mkdir(parents=True, exist_ok=True)
        cases = max(len(subject.damages), round(setting.count * subject.fraction / total))
        yield from _cases(subject, cases, setting)
        if created:  # emptied, not removed: ComfyUI raises where a folder that it has listed is gone
            for path in subject.path.parent.iterdir():
                _clear(path)


def _cases(subject: Subject, count: int, setting: Setting) -> Iterator[Result]:
    """The good file first, then damaged ones; each is drawn from a seed of its own, which a failure names."""
    _put(subject.path, subject.whole)
    yield Result(subject.name, fault(subject.load, subject.check, len(subject.whole)))
    for number in range(count - 1):
        seed = f"{setting.seed} {subject.name} {number}"
        draw = random.Random(seed)
        check = subject.check
        if draw.random() < POSITION_FRACTION:
            messages = draw.choice(ODD_POSITIONS)
            size = _put_oddly(messages, subject, setting.home)
            if messages == OUTSIDE and subject.contained:
                check = _followed
        else:
            damage = draw.choice(subject.damages)
            data = damage(draw, subject.whole)
            _put(subject.path, data)
            messages, size = damage.__name__, len(data)
        wrong = fault(subject.load, check, size)
        yield Result(subject.name, f"[seed {seed!r}, {messages}] {wrong}" if wrong else "")
    _clear(subject.path)


def _followed(found: object) -> str:
    return "a link out of the folder was followed"


def _put(path: Path, data: bytes) -> None:
    _clear(path)
    path.write_bytes(data)


def _put_oddly(odd: str, subject: Subject, home: Path) -> int:
    """Something that is no file, or lies elsewhere, in the place of a file; gives the bytes that may be read there."""
    path, outside = subject.path, home / "outside"
    _clear(path)
    if odd == "pipe":
        os.mkfifo(path)
    elif odd == "folder":
        path.mkdir()
    elif odd == "link to a pipe":
        _clear(outside)
        os.mkfifo(outside)
        path.symlink_to(outside)
    elif odd == OUTSIDE:
        _put(outside, subject.whole)
        path.symlink_to(outside)
    elif odd != "missing":
        path.symlink_to({"link to a device": Path("/dev/zero"), "dangling link": home / "nothing", "circle": path}[odd])
    return len(subject.whole)


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
