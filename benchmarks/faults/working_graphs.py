"""For every node of the pack a graph that works: its inputs from nodes that give a good value of each type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...developer.client import Graph
from ...developer.object_info import AUTOGROW, MATCHING, inputs_of

OURS = "AppearanceTransfer_"
TYPES = "APPEARANCE_TRANSFER_"

SUBJECT = {"latent": ["LATENT", 0], "positive": ["CONDITIONING", 0], "negative": ["CONDITIONING", 0]}
QUICK: dict[str, dict[str, Any]] = {
    "InvertImage": {"steps": 4, "start_at_step": 1} | SUBJECT,
    "ReferenceImage": {"steps": 4, "start_at_step": 1} | SUBJECT,
    "InvertImageDDIM": {"steps": 4} | SUBJECT,
    "NullTextInversion": {"steps": 4, "updates": 1} | SUBJECT,
    "DIFTFeatures": {"feature_preset": "pocket", "ensemble": 1, "latent": ["LATENT", 0]},
    "MirrorToMatch": {"feature_preset": "pocket", "ensemble": 1},
    "LatentDeviation": {"ensemble": 1},
    "SelfSegmentation": {"noun": "horse", "prompt": "a photo of a horse"},
    "WordAttentionMap": {"at_percent": 0.1, "word": "horse", "prompt": "a photo of a horse"},
    "TrainSplice": {"steps": 1, "resolution": 64, "preview_every": 0},
    "InvertViTFeature": {"steps": 1},
    "DINOFeatures": {"resolution": 64},
    "EditDirection": {"count": 5},
    "TrainDistilledEditor": {"size": "64", "steps": 1, "batch": 1, "width": 0.0625, "preview_every": 0},
    "PCK": {"structure_points": "64, 64", "appearance_points": "64, 64", "reference": "image"},
    "ComparisonGrid": {"captions": "output"},
    "EditPairCollector": {"overlap": 0.0, "gain": -2.0},
}


def working_graph(kind: str, info: Mapping[str, Any]) -> Graph:
    """A graph in which `node` is a node of this kind with all that it needs, and its first output is shown."""
    graph = {name: {"class_type": one, "inputs": dict(inputs)} for name, (one, inputs) in PROVIDERS.items()}
    graph["node"] = {"class_type": kind, "inputs": {}}
    for node in graph.values():
        node["inputs"] = _defaults(info[node["class_type"]]) | node["inputs"]
    if not info[kind]["output_node"]:
        graph["shown"] = {"class_type": "PreviewAny", "inputs": {"source": ["node", 0]}}
    return _needed(graph, "node" if info[kind]["output_node"] else "shown")


def _defaults(about: Mapping[str, Any]) -> dict[str, Any]:
    """A good value for every input that needs one."""
    quick = QUICK.get(about["name"].removeprefix(OURS), {})
    inputs: dict[str, Any] = {}
    for name, kind, options, optional in inputs_of(about):
        if kind == AUTOGROW:
            template = options["template"]
            ((inner, _),) = [found for section in template["input"].values() for found in section.values()]
            if template["min"]:
                inputs[f"{name}.{template['prefix']}0"] = _good(inner.split(",")[0])
        elif name in quick:
            inputs[name] = quick[name]
        elif "default" in options and kind in ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"):
            inputs[name] = options["default"]
        elif kind == "COMBO":
            inputs[name] = options["options"][0]
        elif not optional:
            kinds = options["template"]["allowed_types"] if kind == MATCHING else kind
            inputs[name] = _good(kinds.split(",")[0])
    return inputs


def _good(kind: str) -> list[Any]:
    return list(SOURCES[kind]) if kind in SOURCES else [kind, 0]


SOURCES = {
    "MODEL": ("checkpoint", 0), "CLIP": ("checkpoint", 1), "VAE": ("checkpoint", 2), "IMAGE": ("scene", 0),
    "MASK": ("scene", 1),
}  # fmt: skip
PROVIDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "checkpoint": (OURS + "LoadPocketCheckpoint", {}),
    "scene": (OURS + "PocketScene", {"species": "horse", "seed": 2}),
    "LATENT": ("VAEEncode", {"pixels": ["scene", 0], "vae": ["checkpoint", 2]}),
    "CONDITIONING": ("CLIPTextEncode", {"text": "a photo of a horse", "clip": ["checkpoint", 1]}),
    TYPES + "INVERSION": (OURS + "InvertImage", {}),
    TYPES + "REFERENCE": (OURS + "ReferenceImage", {}),
    TYPES + "APPEARANCE": (OURS + "AppearanceOptions", {}),
    TYPES + "FEATURES": (OURS + "DIFTFeatures", {}),
    TYPES + "MATCHES": (OURS + "MatchFeatures", {}),
    TYPES + "EDIT_DIRECTION": (OURS + "EditDirection", {}),
    "LATENT_OPERATION": (OURS + "AdaIN", {}),
    **{
        TYPES + kind: ("Reliability_StandIn", {"kind": kind})
        for kind in ("DINO_VIT", "SPLICE_GENERATOR", "DISTILLED_EDITOR", "PERCEPTUAL_NETWORK")
    },
    "CLIP_VISION": ("Reliability_StandIn", {"kind": "CLIP_VISION"}),
}
"""Nodes that give a good value of every type of socket: by the type, or as `SOURCES` says."""


def _needed(graph: Graph, output: str) -> Graph:
    """The output and all that it needs."""
    expected: Graph = {}
    todo = [output]
    while todo:
        name = todo.pop()
        expected[name] = graph[name]
        todo += [link[0] for link in graph[name]["inputs"].values() if isinstance(link, list)]
    return json.loads(json.dumps(expected))
