"""Fewer nodes for the same image: what is left out, and what has to stay."""

from appearance_transfer.developer.gallery.compact import compact
from appearance_transfer.developer.object_info import OURS
from appearance_transfer.developer.part_by_part import part_by_part
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer, transfer_graph

TRUE = {"structure": ["structure", 1], "appearance": ["appearance", 1]}


def graphs() -> tuple[dict, dict]:
    """Cross-image attention under Appearance Guider, and part by part under text guidance."""
    graph = transfer_graph(Transfer(GraphImage("horse", seed=27), GraphImage("cow", seed=38)))
    return graph, part_by_part(graph, TRUE)


def kinds(graph: dict) -> list[str]:
    return [about["class_type"].removeprefix(OURS) for about in graph.values()]


def test_encoders_that_only_feed_an_inversion_go() -> None:
    guided, rearranged = map(compact, graphs())
    assert kinds(guided).count("CLIPTextEncode") == 1  # the guider reads it
    assert kinds(rearranged).count("CLIPTextEncode") == 0
    for graph in (guided, rearranged):
        assert not {"VAEEncode", "ResumeFromInversion", "SamplerCustomAdvanced", "CFGGuider"} & set(kinds(graph))
        inputs = graph["invert_structure"]["inputs"]
        assert inputs["image"] == ["structure", 0]
        assert inputs["text"] == "a photo of a horse"
        assert not {"latent", "positive", "negative"} & inputs.keys()


def test_a_guider_of_ours_stays_and_text_guidance_goes_into_the_sampler() -> None:
    guided, rearranged = map(compact, graphs())
    assert guided["sample"]["inputs"] == {
        "model": ["guider", 0], "inversion": ["invert_structure", 0], "between_steps": ["adain", 0],
    }  # fmt: skip
    assert rearranged["sample"]["inputs"] == {
        "model": ["attention", 0], "cfg": 2.5, "inversion": ["invert_structure", 0], "between_steps": ["adain", 0],
    }  # fmt: skip


def test_another_text_or_another_sampler_is_left_as_it_is() -> None:
    _, graph = graphs()
    graph["other"] = {"class_type": "CLIPTextEncode", "inputs": {"text": "a cow", "clip": ["checkpoint", 1]}}
    graph["guider"]["inputs"]["positive"] = ["other", 0]
    graph["no_text"]["inputs"]["text"] = "blurry"
    changed = compact(graph)
    assert changed["sample"]["inputs"]["model"] == ["guider", 0]
    assert changed["invert_structure"] == graph["invert_structure"]
    graph["sample"]["inputs"]["sampler"] = ["euler", 0]
    assert compact(graph)["sample"] == graph["sample"]


def test_every_link_leads_to_a_node() -> None:
    for graph in map(compact, graphs()):
        links = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
        assert {node for node, _ in links} <= graph.keys()
