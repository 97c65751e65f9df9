"""The same graph in fewer nodes, as people read it: images and texts are encoded where they are inverted, and what a
sampler needs of an inversion goes by one link.
"""

from collections.abc import Mapping
from typing import Any

from ..client import Graph
from ..transfer_graph import OURS
from .parts import node

PREPARING = {OURS + kind for kind in ("InvertImage", "ReferenceImage", "InvertImageDDIM", "NullTextInversion")}
LEFT_OVER = {"CLIPTextEncode", "VAEEncode", OURS + "ResumeFromInversion", "CFGGuider"}
ENCODED = ("latent", "positive", "negative")


def compact(graph: Graph) -> Graph:
    """A graph made of `transfer_graph` without encoders that only feed an inversion, and with Sample from Inversion
    where a sampler takes all of one Resume from Inversion.

    The image is the same bit by bit, but where a transfer finds objects by itself: of an inverted image it knows the
    colors, too, of an inverted latent only what the network makes of it.
    """
    changed = {name: _prepared(about, graph) for name, about in graph.items()}
    changed = {name: _sampled(about, graph) for name, about in changed.items()}
    return _without_left_over(changed)


def _prepared(about: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """An inversion that takes an image and its text, where it takes what was made of them."""
    inputs = about["inputs"]
    encoders = {key: graph[inputs[key][0]] for key in ENCODED if key in inputs}
    if about["class_type"] not in PREPARING or encoders.keys() < {"latent", "positive"}:
        return about
    if "negative" in encoders and encoders["negative"]["inputs"]["text"]:
        return about
    image = encoders["latent"]["inputs"]
    own = {key: value for key, value in inputs.items() if key not in ENCODED}
    read = {"image": image["pixels"], "vae": image["vae"], "clip": encoders["positive"]["inputs"]["clip"]}
    return node(about["class_type"], **(own | read))


def _sampled(about: dict[str, Any], graph: Graph) -> dict[str, Any]:
    """Sample from Inversion in the place of a sampler that is fed by one Resume from Inversion alone."""
    fed = {key: about["inputs"].get(key, [""])[0] for key in ("noise", "sampler", "sigmas", "latent_image")}
    resume = graph.get(fed["noise"])
    if about["class_type"] != "SamplerCustomAdvanced" or len(set(fed.values())) > 1 or resume is None:
        return about
    name = about["inputs"]["guider"][0]
    guider, resumed = graph[name], resume["inputs"]
    if guider["class_type"] == "CFGGuider" and _same_texts(guider, graph[resumed["inversion"][0]]):
        model: Mapping[str, Any] = {"model": guider["inputs"]["model"], "cfg": guider["inputs"]["cfg"]}
    else:
        model = {"model": [name, 0]}
    return node(OURS + "SampleFromInversion", **model, **resumed)


def _same_texts(guider: Mapping[str, Any], inverted: Mapping[str, Any]) -> bool:
    """Is an image sampled under the texts that it was inverted under?"""
    return all(guider["inputs"].get(key) == inverted["inputs"].get(key) for key in ("positive", "negative"))


def _without_left_over(graph: Graph) -> Graph:
    """The graph without encoders and guiders that nothing reads any more."""
    while True:
        read = {value[0] for about in graph.values() for value in about["inputs"].values() if isinstance(value, list)}
        gone = {name for name, about in graph.items() if about["class_type"] in LEFT_OVER and name not in read}
        if not gone:
            return graph
        graph = {name: about for name, about in graph.items() if name not in gone}
