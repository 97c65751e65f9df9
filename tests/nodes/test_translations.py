"""What the page shows besides the nodes, in Chinese: every note, group and choice has words, and none are left over."""

import json
import re
import shutil
import subprocess

import pytest
from appearance_transfer.developer.object_info import inputs_of
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.developer.ui_graph import NOTE

WORDS = json.loads((ROOT / "web" / "translations" / "zh.json").read_text(encoding="utf-8"))
SHEETS = [
    sheet
    for folder in ("workflows", "subgraphs")
    for path in (ROOT / folder).glob("*.json")
    for workflow in [json.loads(path.read_text(encoding="utf-8"))]
    for sheet in (workflow, *workflow.get("definitions", {}).get("subgraphs", []))
]
FILE = re.compile(r"- \[.+\]\(.+\) into `.+`")
SAME = re.compile(r"[A-Z0-9 .\-]+|Flux\.1|fp32|fp16|bf16|ddim|uni-inv|dift|v|\d+|.*\.(safetensors|pth?)")
"""Choices that are names of methods, formats, numbers and files: the same in every language."""
FILES = {"name", "vit"}  # inputs whose choices hang on a user's machine


def lines() -> set[str]:
    notes = [node["widgets_values"][0] for sheet in SHEETS for node in sheet["nodes"] if node["type"] == NOTE]
    return {line for note in notes for line in note.splitlines() if line and not FILE.fullmatch(line)}


def groups() -> set[str]:
    titles = {group["title"] for sheet in SHEETS for group in sheet.get("groups", [])}
    return {re.sub(r"^\d+\. ", "", title) for title in titles}


def test_every_note_and_every_group_is_translated() -> None:
    assert lines() == set(WORDS["notes"])
    assert groups() == set(WORDS["groups"])
    titles = {node["title"] for sheet in SHEETS for node in sheet["nodes"] if ": " in node.get("title", "")}
    assert titles == set(WORDS["titles"])


def test_every_choice_is_translated(ours) -> None:
    choices = {
        str(choice)
        for about in ours.values()
        for name, kind, options, _ in inputs_of(about)
        if kind == "COMBO" and name not in FILES
        for choice in options["options"]
    }
    assert {choice for choice in choices if not SAME.fullmatch(choice)} <= set(WORDS["choices"])


def test_what_must_stay_stays() -> None:
    """Addresses, file names and headings are those of the original."""
    for english, chinese in WORDS["notes"].items():
        for pattern in (r"\]\(([^)]+)\)", r"`([^`]+)`"):
            assert sorted(re.findall(pattern, english)) == sorted(re.findall(pattern, chinese)), english
        assert english.startswith("# ") == chinese.startswith("# ")


@pytest.mark.parametrize("section", ["notes", "groups", "titles", "choices"])
def test_it_is_chinese(section) -> None:
    assert all(re.search(r"[\u4e00-\u9fff]", text) for text in WORDS[section].values())


NODE = shutil.which("node")
RUN = """
import {{ translated }} from "{module}";
import {{ readFileSync }} from "node:fs";
const [words, workflow] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf-8")));
translated(workflow, words);
process.stdout.write(JSON.stringify(workflow));
"""


@pytest.mark.skipif(NODE is None, reason="There is no Node.js here.")
def test_a_workflow_is_translated_and_what_a_user_has_changed_stays(tmp_path) -> None:
    ours = next(sheet for sheet in SHEETS if sheet.get("groups"))
    workflow = json.loads(json.dumps(ours))
    workflow["groups"][0]["title"] = "My images"
    (note,) = [node for node in workflow["nodes"] if node["type"] == NOTE]
    note["widgets_values"][0] += "\nMy own line."
    assert translated(workflow, tmp_path)["groups"][0]["title"] == "My images"
    text = next(n for n in translated(workflow, tmp_path)["nodes"] if n["type"] == NOTE)["widgets_values"][0]
    assert text.endswith("\nMy own line.")
    assert re.search(r"[\u4e00-\u9fff]", text.splitlines()[0])
    for node in workflow["nodes"]:
        node["type"] = node["type"].replace("AppearanceTransfer_", "Other_")
    assert translated(workflow, tmp_path) == workflow


def translated(workflow: dict, folder) -> dict:
    """By the page's own module."""
    module = folder / "workflow.mjs"
    module.write_bytes((ROOT / "web" / "js" / "translations" / "workflow.js").read_bytes())
    (folder / "run.mjs").write_text(RUN.format(module=module.as_uri()), encoding="utf-8")
    (folder / "workflow.json").write_text(json.dumps(workflow), encoding="utf-8")
    words = ROOT / "web" / "translations" / "zh.json"
    command = [NODE, folder / "run.mjs", words, folder / "workflow.json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout)
