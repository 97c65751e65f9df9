"""The files that follow from the nodes: workflows, blueprints, the English locale, docs/nodes.md. `dev.py generate`
writes them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .gallery import blueprints, file_name, gallery
from .object_info import AUTOGROW, inputs_of
from .paths import ROOT

PREFIX = "AppearanceTransfer_"


def generated(info: Mapping[str, Any]) -> dict[Path, str]:
    """Path and text of every generated file. info: ComfyUI's /object_info."""
    files: dict[Path, Any] = {ROOT / "locales" / "en" / "nodeDefs.json": node_definitions(info)}
    for name, template in gallery().items():
        files[ROOT / "workflows" / f"{file_name(name)}.json"] = template.workflow(name, info)
    for name, blueprint in blueprints().items():
        files[ROOT / "subgraphs" / f"{name}.json"] = blueprint.workflow(name, info)
    texts = {path: json.dumps(content, indent=2, ensure_ascii=True) + "\n" for path, content in files.items()}
    return texts | {ROOT / "docs" / "nodes.md": node_page(info)}


def node_page(info: Mapping[str, Any]) -> str:
    """Every node of ours by its category, what it does, and its help page."""
    ours = sorted(
        (about["category"], about["display_name"], name) for name, about in info.items() if name.startswith(PREFIX)
    )
    rows: dict[str, list[str]] = {}
    for category, label, name in ours:
        line = f"| [{label}](../web/docs/{name}.md) | {info[name]['description']} |"
        rows.setdefault(category.split("/")[-1], []).append(line)
    tables = [
        "\n".join([f"## {kind}\n", "| node | what it does |", "|---|---|", *lines]) for kind, lines in rows.items()
    ]
    return (
        "\n\n".join(["# Nodes", "The links lead to the help pages, which ComfyUI shows at the question mark.", *tables])
        + "\n"
    )


def node_definitions(info: Mapping[str, Any]) -> dict[str, Any]:
    """What the page translates: labels, descriptions and tooltips of our nodes, as the schemas say them."""
    return {
        name: {
            "display_name": about["display_name"],
            "description": about["description"],
            "inputs": dict(_inputs(about)),
            "outputs": {
                str(index): {"name": label, "tooltip": tooltip}
                for index, (label, tooltip) in enumerate(
                    zip(about["output_name"], about["output_tooltips"], strict=True)
                )
            },
        }
        for name, about in sorted(info.items())
        if name.startswith(PREFIX)
    }


def _inputs(about: Mapping[str, Any]) -> Any:
    """(key, texts) of each input; the page looks for the dots of a growing one under `<name>_<label>`."""
    for name, kind, options, _ in inputs_of(about):
        yield name, {"name": name, "tooltip": options["tooltip"]}
        if kind == AUTOGROW:
            template = options["template"]
            ((_, (_, inner)),) = template["input"]["required"].items()
            for index in range(template["max"]):
                label = f"{template['prefix']}{index}"
                yield f"{name}_{label}", {"name": label, "tooltip": inner["tooltip"]}
