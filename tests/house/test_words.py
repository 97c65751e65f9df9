"""One word per thing: words that were given up, and must not come back into names or prose."""

import io
import re
import tokenize
from pathlib import Path

import pytest
from appearance_transfer.tests.house.test_house import tracked

ROOT = Path(__file__).resolve().parents[2]
PROSE = (".md", ".json", ".js", ".toml", ".txt")
NOT_OURS = {"LICENSE", "constraints.txt", "origins.json", "report.md", Path(__file__).name}  # what is recorded stays

EVERYWHERE = {  # a pattern, and what we say instead; spelling is American
    r"\b[Pp]ictures?\b": "image",
    r"\b[Cc]olour": "color",
    r"\b[Gg]rey": "gray",
    r"\b[Cc]entre": "center",
    r"\b[Nn]eighbour": "neighbor",
    r"\b[Bb]ehaviour": "behavior",
    r"\b[Ll]icence\b": "license",
    r"\w*(?:regular|normal|optim|quant|initial|visual|recogn)is(?:e|ed|es|ing|ation|er)\b": "-ize",
    r"\b[Dd]ials?\b": "parameter, setting",
    r"\b[Mm]ebibytes\b": "format_mib",
    r"\b[Ss]howpieces?\b": "template",
    r"\b(?:[Tt]he|[Aa]) person\b": "the user",
    r"\breleased code\b": "reference code, reference implementation",
    r"\b[Tt]he host\b(?![/.\w])": "ComfyUI",
    r"\(spec \d": "the paper and its equation",
    r"\b[Dd]esign section \d": "the paper, or docs/architecture.md",
    r"\b[Ss]pec(?:ification)? check \d": "what is checked",
}
NAMES = {  # whole names of classes, functions, variables
    "Eye", "Sight", "Look", "Shown", "Offer", "Shelf", "Keeping", "Trouble", "Desk", "Showpiece", "Container",
    "Facing", "Carried", "Mixing", "Trainee", "OnTheNode", "drawn_from", "mebibytes", "told_and_shown",
    "tell_on_nodes", "regrid", "regridded", "likeness", "squares_of", "slopes", "facts", "run_inside", "picture",
    "pictures", "place", "places", "colour", "colours", "dial", "dials", "Measured", "Run", "Evaluation", "telling",
    "told", "offer", "turned", "sound", "person", "twin", "allowed_mask", "judge", "verdicts", "showpiece", "shelf",
    "beside", "shown", "look", "looks", "looked", "offered", "offers", "wanted", "allowed", "share", "shares",
    "squares", "given", "made", "carried", "trouble", "sight", "SHOWN", "LOOK", "LOOKS", "SQUARES", "MADE",
}  # fmt: skip
STAYS = {  # (file, name)
    ("distillation/generator.py", "looks"),  # a key of saved weights
}
HYPOTHESIS = re.compile(r"^\s*@given\(|^from hypothesis import")


def files(*suffixes: str) -> list[Path]:
    return [path for path in tracked() if path.suffix in suffixes and path.name not in NOT_OURS]


@pytest.mark.parametrize("pattern", EVERYWHERE, ids=lambda pattern: EVERYWHERE[pattern])
def test_prose(pattern) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files(".py", *PROSE)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert not found, f"say {EVERYWHERE[pattern]}:\n" + "\n".join(found)


def test_names() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{token.start[0]}: {token.string}"
        for path in files(".py")
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        if token.type == tokenize.NAME
        and token.string in NAMES
        and (path.relative_to(ROOT).as_posix(), token.string) not in STAYS
        and not HYPOTHESIS.search(token.line)
    ]
    assert not found, "\n".join(found)


def test_files() -> None:
    given_up = re.compile(r"picture|colour|regularis|showpiece|sight|container|telling")
    assert not [str(path.relative_to(ROOT)) for path in tracked() if given_up.search(path.name)]
