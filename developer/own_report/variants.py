"""What is made of each pair: the transfer at several settings, and before it what is found in both images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ...inversion.defaults import PAPER_CFG, PAPER_START_AT, PAPER_STEPS
from ..client import Graph
from ..object_info import OURS
from ..part_by_part import demo_graph
from ..transfer_graph import FEW_STEPS, Transfer, few_step_graph, simple_graph, transfer_graph

ROLES = ("structure", "appearance")
SAVE, COUNT, INVERTED = "save", "count", "inverted"
DRAFT_STEPS, DRAFT_START_AT = 10, 3
PANELS = {  # of what is looked at before: output node, and what a user reads above its image
    "show_structure_mask": "object of the structure",
    "show_appearance_mask": "object of the appearance",
    "matches": "what paints what",
    INVERTED: "structure from its inversion",
}


@dataclass(frozen=True)
class Variant:
    """A transfer at some settings: what it is called, and its graph, which ends in the nodes `save` and `count`."""

    name: str
    graph: Callable[[Transfer], Graph]


def looked_at(transfer: Transfer) -> Graph:
    """Objects and matches as a transfer finds them, and the structure as it comes back: the nodes of `PANELS`."""
    graph = demo_graph(replace(transfer, counted=False))
    graph[INVERTED] = {
        "class_type": OURS + "InversionReport",
        "inputs": {"model": ["checkpoint", 0], "inversion": ["invert_structure", 0], "vae": ["checkpoint", 2]},
    }
    return counted(_behind(graph, PANELS), after=["match", 0])


def variants() -> list[Variant]:
    """In the order of the page; the cheap ones last."""
    return [
        Variant(f"the paper's settings, {PAPER_STEPS} steps", _paper),
        Variant("defaults", _defaults),
        Variant("without the prior of matches", _without_prior),
        Variant("part by part", _part_by_part),
        Variant(f"draft, {DRAFT_STEPS} steps", _draft),
        Variant(f"{FEW_STEPS} steps, as few-step models need it", _few_steps),
    ]


def counted(graph: Graph, after: list[str | int]) -> Graph:
    """The graph with its MODEL counted until `after` is there; needs benchmarks/evaluation_counter in ComfyUI."""
    loaded = ["checkpoint", 0]
    changed = {
        name: {
            **about,
            "inputs": {key: ["counter", 0] if value == loaded else value for key, value in about["inputs"].items()},
        }
        for name, about in graph.items()
    }
    changed["counter"] = {"class_type": "BenchmarkCountEvaluations", "inputs": {"model": loaded}}
    changed[COUNT] = {"class_type": "BenchmarkReadEvaluations", "inputs": {"count": ["counter", 1], "after": after}}
    return changed


def _transferred(graph: Graph) -> Graph:
    return counted(_behind(graph, [SAVE]), after=["decode", 0])


def _paper(transfer: Transfer) -> Graph:
    """As the reference code: both images inverted, references replayed, nothing found, guidance on every step."""
    paper = replace(transfer, steps=PAPER_STEPS, start_at_step=PAPER_START_AT, counted=False)
    graph = transfer_graph(paper)
    for role in ROLES:
        graph[f"invert_{role}"]["class_type"] = OURS + "InvertImage"
        graph[f"invert_{role}"]["inputs"]["cfg"] = PAPER_CFG
    graph["attention"]["inputs"] |= {"preset": "reference code", "find": False}
    graph["guider"]["inputs"]["every"] = 1
    return _transferred(graph)


def _defaults(transfer: Transfer) -> Graph:
    return _transferred(simple_graph(transfer))


def _without_prior(transfer: Transfer) -> Graph:
    graph = simple_graph(transfer)
    graph["attention"]["inputs"]["find"] = False
    return _transferred(graph)


def _part_by_part(transfer: Transfer) -> Graph:
    return _transferred(demo_graph(replace(transfer, counted=False)))


def _draft(transfer: Transfer) -> Graph:
    return _defaults(replace(transfer, steps=DRAFT_STEPS, start_at_step=DRAFT_START_AT))


def _few_steps(transfer: Transfer) -> Graph:
    return _transferred(few_step_graph(transfer))


def _behind(graph: Graph, outputs: Mapping[str, str] | list[str]) -> Graph:
    """These output nodes and all that they need."""
    needed = list(outputs)
    for name in needed:
        links = (value for value in graph[name]["inputs"].values() if isinstance(value, list))
        needed += [origin for origin, _ in links if origin not in needed]
    return {name: graph[name] for name in graph if name in needed}
