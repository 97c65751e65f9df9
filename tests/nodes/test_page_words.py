"""The sentences of the front end: every one that it says has words, and no words are left over."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "web" / "js").rglob("*.js"))


def sentences(locale: str) -> dict[str, str]:
    words = json.loads((ROOT / "locales" / locale / "main.json").read_text(encoding="utf-8"))
    return words["appearanceTransfer"]["pointPairs"]


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_every_sentence_is_used_and_every_one_that_is_named_exists(locale) -> None:
    named = set(re.findall(r'say\("(\w+)"', SOURCE)) | set(re.findall(r'problem: "(\w+)"', SOURCE))
    assert named <= set(sentences(locale))
    assert all(f'"{name}"' in SOURCE for name in sentences(locale))


def test_both_languages_fill_in_the_same_values() -> None:
    english, chinese = sentences("en"), sentences("zh")
    for name, sentence in english.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) == set(re.findall(r"\{(\w+)\}", chinese[name])), name


def test_the_page_never_reads_foreign_text_as_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", SOURCE)


def test_the_inputs_that_the_page_looks_for_exist(ours) -> None:
    inputs = {name for names in ours["AppearanceTransfer_MatchFeatures"]["input_order"].values() for name in names}
    constants = re.findall(r"^const (?:TEXTS|IMAGES|RADIUS) = (.+);$", SOURCE, re.MULTILINE)
    found = set(re.findall(r'"(\w+)"', " ".join(constants)))
    assert found == {"structure_points", "appearance_points", "structure_image", "appearance_image", "radius"}
    assert found <= inputs
