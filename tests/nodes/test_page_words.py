"""The sentences of the front end: every one that it says has words, and no words are left over."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "web" / "js"
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.js"))
SECTIONS = {"pointPairs": "point_pairs", "objectSeeds": "object_seeds"}
"""Of the sentences, and the modules that say them."""


def sentences(locale: str, section: str) -> dict[str, str]:
    words = json.loads((ROOT / "locales" / locale / "main.json").read_text(encoding="utf-8"))
    assert set(words["appearanceTransfer"]) == set(SECTIONS)
    return words["appearanceTransfer"][section]


@pytest.mark.parametrize("locale", ["en", "zh"])
@pytest.mark.parametrize("section", SECTIONS)
def test_every_sentence_is_used_and_every_one_that_is_named_exists(locale, section) -> None:
    name = SECTIONS[section]
    modules = [FOLDER / f"{name}.js", *(FOLDER / name).glob("*.js")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in modules)
    named = set(re.findall(r'say\("(\w+)"', source)) | set(re.findall(r'problem: "(\w+)"', source))
    assert named <= set(sentences(locale, section))
    assert all(f'"{sentence}"' in source for sentence in sentences(locale, section))


@pytest.mark.parametrize("section", SECTIONS)
def test_both_languages_fill_in_the_same_values(section) -> None:
    english, chinese = sentences("en", section), sentences("zh", section)
    for name, sentence in english.items():
        assert set(re.findall(r"\{(\w+)\}", sentence)) == set(re.findall(r"\{(\w+)\}", chinese[name])), name


def test_the_page_never_reads_foreign_text_as_markup() -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", SOURCE)


def test_the_inputs_that_the_page_looks_for_exist(ours) -> None:
    expected = {
        "MatchFeatures": {"structure_points", "appearance_points", "structure_image", "appearance_image", "radius"},
        "FindObject": {"object_points", "background_points"},
    }
    for node, names in expected.items():
        inputs = {name for names in ours[f"AppearanceTransfer_{node}"]["input_order"].values() for name in names}
        assert names <= inputs
    constants = re.findall(r"^const (?:TEXTS|IMAGES|RADIUS) = (.+);$", SOURCE, re.MULTILINE)
    assert set(re.findall(r'"(\w+)"', " ".join(constants))) == set().union(*expected.values())
