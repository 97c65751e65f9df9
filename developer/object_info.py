"""What ComfyUI says of its nodes at /object_info: which inputs each has, which of them are widgets, and their defaults.

`info` is that answer throughout: node id -> what is said of the node.
"""

from collections.abc import Iterator, Mapping
from typing import Any

OURS = "AppearanceTransfer_"
WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
AUTOGROW = "COMFY_AUTOGROW_V3"
MATCHING = "COMFY_MATCHTYPE_V3"  # of several types; the output has that of what is connected
UNSAVED = {"IMAGECOMPARE": {"__value__": ["", ""]}}  # widgets that no workflow keeps, and what the page queues for them
CONTROL, UPLOAD = "fixed", "image"  # what the page keeps for the widgets it adds: after a seed, under an image


def inputs_of(about: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Name, type, options, and whether it may stay open, of each input of a node in the page's order."""
    for section in ("required", "optional"):
        for name in about["input_order"].get(section, ()):
            kind, *options = about["input"][section][name]
            if isinstance(kind, list):  # the older way to write a combo
                kind, options = "COMBO", [{"options": kind, **(options[0] if options else {})}]
            yield name, kind, options[0] if options else {}, section == "optional"


def widgets_of(about: Mapping[str, Any]) -> Iterator[tuple[str | None, Any]]:
    """Name and default of each widget, in the order of `widgets_values`; no name where the page adds one."""
    for name, kind, options, _ in inputs_of(about):
        if not is_widget(kind, options):
            continue
        yield name, options.get("default", options["options"][0] if options.get("options") else "")
        if options.get("control_after_generate", kind == "INT" and name in ("seed", "noise_seed")):
            yield None, CONTROL
        if options.get("image_upload"):
            yield None, UPLOAD


def unsaved_of(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the page queues for the widgets of a node that no workflow keeps."""
    return {name: UNSAVED[kind] for name, kind, _, _ in inputs_of(about) if kind in UNSAVED}


def is_widget(kind: str, options: Mapping[str, Any]) -> bool:
    return kind in WIDGETS and not options.get("forceInput")


def with_defaults(graph: Mapping[str, dict[str, Any]], info: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The graph with the defaults of our nodes where it says nothing; ComfyUI wants a value for every widget.

    So each default stands in one place, the schema. What `info` does not know stays as it is.
    """
    complete = {}
    for name, node in graph.items():
        known = info.get(node["class_type"]) if node["class_type"].startswith(OURS) else None
        unsaid = {widget: value for widget, value in widgets_of(known) if widget} if known else {}
        complete[name] = {**node, "inputs": unsaid | node["inputs"]}
    return complete
