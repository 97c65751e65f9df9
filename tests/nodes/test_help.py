"""Help pages and translations: one per node, saying what the nodes say, and quoting what they really raise."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from appearance_transfer.benchmarks.help_images import FOLDER as IMAGES
from appearance_transfer.benchmarks.help_images import IMAGES as WITH_IMAGE
from appearance_transfer.developer.generated import node_definitions
from appearance_transfer.developer.object_info import AUTOGROW, inputs_of
from appearance_transfer.tests.nodes.test_schemas import IDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "web" / "docs"
LOCALES = ("en", "zh")
SECTIONS = {  # in this order; a page leaves out what it has nothing to say about
    "en": ["Inputs", "Outputs", "What to set first", "Cost", "Errors", "Source", "Reproducing the paper"],
    "zh": ["输入", "输出", "先调什么", "开销", "错误与警告", "出处", "复现论文"],
}
NEEDED = {"en": {"Inputs", "Outputs", "Cost"}, "zh": {"输入", "输出", "开销"}}
WORDS = {  # as which a page quotes what the schema says of an input
    "en": {"on": "on", "off": "off", "": "empty", "optional": "optional", "advanced": "advanced", "grows": "{} to {}"},
    "zh": {"on": "开", "off": "关", "": "空", "optional": "可选", "advanced": "高级", "grows": "{} 到 {} 个"},
}
LINE = {  # of an input or output: its id, in Chinese the label that the page shows, what the schema says, a sentence
    "en": re.compile(r"^- \*\*(?P<id>.+?)\*\*(?P<label>)(?: \((?P<says>.+?)\))?: \S", re.MULTILINE),
    "zh": re.compile(r"^- \*\*(?P<id>.+?)\*\* (?P<label>.+?)(?:（(?P<says>[^）]+)）)?：\S", re.MULTILINE),
}
SPEAKING = (
    "nodes", "host", "inversion", "attention", "guidance", "correspondence", "objects", "editing", "splice",
    "evaluation", "storage", "pocket", "distillation", "training", "vit",
)  # fmt: skip


def page(node: str, locale: str) -> Path:
    """Where the page looks for help: for its own language first, then without one."""
    return PAGES / f"{node}.md" if locale == "en" else PAGES / node / f"{locale}.md"


def locale_file(locale: str, name: str) -> dict:
    return json.loads((ROOT / "locales" / locale / f"{name}.json").read_text(encoding="utf-8"))


def paths(tree: object, *above: str) -> set[tuple[str, ...]]:
    if not isinstance(tree, dict):
        return {above}
    return {path for key, branch in tree.items() for path in paths(branch, *above, key)}


@pytest.fixture(scope="module")
def messages() -> str:
    """All source that speaks to a user, with strings over several lines joined."""
    sources = [path.read_text(encoding="utf-8") for folder in SPEAKING for path in (ROOT / folder).rglob("*.py")]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(sources))


def section(node: str, locale: str, heading: str) -> str:
    """What stands under a heading of a page."""
    return page(node, locale).read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


def says(kind: str, options: Mapping[str, Any], optional: bool, locale: str) -> list[str]:
    """What a page puts into brackets behind an input: its default (how many there may be, "optional"), "advanced"."""
    words = WORDS[locale]
    default = options.get("default")
    if kind == AUTOGROW:
        found = [words["grows"].format(options["template"]["min"], options["template"]["max"])]
    elif isinstance(default, bool):
        found = [words["on" if default else "off"]]
    elif default is not None:
        text = f"{default:g}" if isinstance(default, float) else str(default).strip("()")
        found = [] if "\n" in text else [words.get(text, text)]
    else:
        found = [words["optional"]] if optional else []
    return found + ([words["advanced"]] if options.get("advanced") else [])


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("node", sorted(IDS))
class TestPage:
    def test_it_is_there_with_its_sections(self, node, locale) -> None:
        headings = re.findall(r"^## (.+)$", page(node, locale).read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == [heading for heading in SECTIONS[locale] if heading in headings]
        assert set(headings) >= NEEDED[locale]

    def test_its_title_is_the_label(self, node, locale) -> None:
        title = page(node, locale).read_text(encoding="utf-8").splitlines()[0]
        assert title == f"# {locale_file(locale, 'nodeDefs')[node]['display_name']}"

    def test_the_errors_it_quotes_exist(self, node, locale, messages) -> None:
        for quoted in re.findall(r'"\.\.\. (.+?) \.\.\."', page(node, locale).read_text(encoding="utf-8")):
            assert quoted in messages

    def test_it_has_every_input_with_its_default(self, ours, node, locale) -> None:
        labels = locale_file(locale, "nodeDefs")[node]["inputs"]
        expected = [
            (name, labels[name]["name"] if locale == "zh" else "", says(kind, options, optional, locale))
            for name, kind, options, optional in inputs_of(ours[node])
        ]
        text = section(node, locale, SECTIONS[locale][0])
        found = [
            (line["id"], line["label"], re.split(", |，", line["says"]) if line["says"] else [])
            for line in LINE[locale].finditer(text)
        ]
        assert found == expected
        assert len(found) == text.count("\n- "), "a line that is no input"

    def test_it_has_every_output(self, ours, node, locale) -> None:
        labels = locale_file(locale, "nodeDefs")[node]["outputs"]
        expected = [
            (name, labels[str(index)]["name"] if locale == "zh" else "")
            for index, name in enumerate(ours[node]["output_name"])
        ]
        found = LINE[locale].finditer(section(node, locale, SECTIONS[locale][1]))
        assert [(line["id"], line["label"]) for line in found] == expected

    def test_every_section_says_something(self, node, locale) -> None:
        for section in page(node, locale).read_text(encoding="utf-8").split("\n## ")[1:]:
            assert section.partition("\n")[2].strip(), section

    def test_its_image_is_its_own(self, node, locale) -> None:
        images = re.findall(r"!\[([^\]]*)\]\(([^)]*)\)", page(node, locale).read_text(encoding="utf-8"))
        own = node.removeprefix("AppearanceTransfer_")
        assert [path for _, path in images] == [f"{IMAGES.name}/{own}.jpg"] * (own in WITH_IMAGE)
        assert all(text for text, _ in images)


def test_no_page_without_a_node() -> None:
    folders = {path.name for path in PAGES.iterdir() if path.is_dir() and path != IMAGES}
    assert {path.stem for path in PAGES.glob("*.md")} | folders == IDS


def test_images_are_those_that_the_command_makes() -> None:
    """`python dev.py bench help_images`; small, for they travel with the pack."""
    files = list(IMAGES.iterdir())
    assert {path.name for path in files} == {f"{node}.jpg" for node in WITH_IMAGE}
    assert all(path.stat().st_size < 150_000 for path in files)


def test_english_pages_are_safe_on_every_terminal() -> None:
    for path in PAGES.glob("*.md"):
        path.read_bytes().decode("utf-8").encode("cp1252")


def test_the_english_locale_is_what_the_schemas_say(info) -> None:
    """Otherwise: `python dev.py generate`."""
    assert locale_file("en", "nodeDefs") == node_definitions(info)


def test_the_chinese_locale_has_exactly_the_english_keys() -> None:
    english, chinese = (sorted(path.stem for path in (ROOT / "locales" / locale).iterdir()) for locale in LOCALES)
    assert english == chinese
    for name in english:
        assert paths(locale_file("zh", name)) == paths(locale_file("en", name)), name


def test_the_chinese_locale_is_translated() -> None:
    english, chinese = locale_file("en", "nodeDefs"), locale_file("zh", "nodeDefs")
    for node, texts in chinese.items():
        assert texts["description"] != english[node]["description"]
        for section in ("inputs", "outputs"):
            for name, entry in texts[section].items():
                assert re.search(r"[\u4e00-\u9fff]", entry["tooltip"]), f"{node} {name}"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_category_and_socket_type_has_a_word(ours, locale) -> None:
    from appearance_transfer.nodes import sockets

    own = {socket.io_type for socket in vars(sockets).values() if hasattr(socket, "io_type")}
    words = locale_file(locale, "main")
    parts = {part for about in ours.values() for part in about["category"].split("/")}
    assert set(words["nodeCategories"]) == parts
    assert set(words["dataTypes"]) == own
