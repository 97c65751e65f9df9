"""What a user reads when something is wrong, through the real server; afterwards the next graph is fine."""

import copy
import threading

import pytest
from appearance_transfer.developer.client import Graph, GraphError
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer, transfer_graph
from appearance_transfer.pocket.scene import random_scene

OURS = "AppearanceTransfer_"
STRUCTURE, APPEARANCE = (GraphImage(random_scene(seed).species, seed=seed) for seed in (2, 7))
SHORT = Transfer(STRUCTURE, APPEARANCE, steps=16, start_at_step=2)


def broken(**changes) -> Graph:
    """The main graph, short, with inputs changed: `broken(node={"input": value})`; None removes an input.

    Its only output is the image: ComfyUI runs whatever outputs are still valid, and matches would refuse first.
    """
    graph = copy.deepcopy(transfer_graph(SHORT))
    for node in [name for name in graph if name == "matches" or name.startswith("show_")]:
        del graph[node]
    for node, inputs in changes.items():
        for name, value in inputs.items():
            graph[node]["inputs"][name] = value
            if value is None:
                del graph[node]["inputs"][name]
    return graph


@pytest.fixture(scope="module", autouse=True)
def good(server):
    """The same graph without a mistake runs before all of them and after each."""
    graph = broken()
    server.queue(graph)
    return graph


@pytest.mark.parametrize(
    ("changes", "node", "sentence"),
    [
        (
            {"appearance": {"size": 160}, "attention": {"structure": ["invert_appearance", 0]}},
            "sample",
            "the inversion connected to structure is 20x20",
        ),
        (
            {"attention": {"preset": "reference code"}},
            "attention",
            "was noised by Reference Image",
        ),
        ({"invert_structure": {"start_at_step": 16}}, "invert_structure", "Set start_at_step below steps"),
        ({"mask_structure": {"noun": "teapot"}}, "mask_structure", "'teapot' is not in the prompt"),
        ({"guider": {"cfg": 4.0}}, "guider", "Connect one to negative"),
    ],
    ids=[
        "a structure of another size",
        "a noised reference to be replayed",
        "no steps left",
        "a missing noun",
        "no negative",
    ],
)
def test_one_clear_sentence(server, good, changes, node, sentence) -> None:
    with pytest.raises(GraphError, match=sentence) as error:
        server.queue(broken(**changes))
    assert (error.value.kind, error.value.node) == ("failed", node)
    server.queue(good)


@pytest.mark.parametrize(
    ("changes", "node"),
    [
        ({"attention": {"appearances.appearance0": None}}, "attention"),
        ({"invert_structure": {"steps": 0}}, "invert_structure"),
        ({"attention": {"appearances.appearance0": ["structure", 0]}}, "attention"),
    ],
    ids=["zero references", "zero steps", "an image instead of an inversion"],
)
def test_refused_before_anything_runs(server, good, changes, node) -> None:
    with pytest.raises(GraphError) as error:
        server.queue(broken(**changes))
    assert (error.value.kind, error.value.node) == ("rejected", node)
    server.queue(good)


def test_a_name_outside_the_folder(server, good) -> None:
    graph = broken()
    graph["keep"] = {
        "class_type": OURS + "SaveInversion",
        "inputs": {"inversion": ["invert_structure", 0], "filename_prefix": "../x"},
    }
    with pytest.raises(GraphError, match="cannot be used"):
        server.queue(graph)
    load = {"class_type": OURS + "LoadInversion", "inputs": {"name": "../../x.safetensors"}}
    report = {"class_type": OURS + "InversionReport", "inputs": {"inversion": ["load", 0]}}
    report["inputs"] |= {"model": ["checkpoint", 0], "vae": ["checkpoint", 2]}
    with pytest.raises(GraphError, match="cannot be used") as error:
        server.queue({"checkpoint": graph["checkpoint"], "load": load, "report": report})
    assert error.value.kind == "rejected"
    server.queue(good)


def test_a_sampler_between_the_levels_warns_and_finishes(server, good) -> None:
    """A stock sampler that evaluates between the recorded levels still makes an image."""
    graph = broken(sample={"sampler": ["heun", 0]})
    graph["heun"] = {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "dpm_2"}}
    assert server.queue(graph).outputs["save"]["images"]


def test_an_interrupted_transfer_can_be_queued_again(server, good) -> None:
    seen = []

    def stop_at_the_sampler(kind: str, data: dict) -> None:
        if kind == "progress" and data.get("node") == "sample" and not seen:
            seen.append(kind)
            threading.Thread(target=server.interrupt).start()  # this watcher runs inside the client's event loop

    with pytest.raises(GraphError) as error:
        server.queue(broken(attention={"strength": 0.9}), stop_at_the_sampler)
    assert error.value.kind == "interrupted"
    server.queue(good)
