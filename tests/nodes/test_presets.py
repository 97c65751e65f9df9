"""The preset "reference code": what it sets, field by field, and that the nodes which have it hand it on."""

from dataclasses import fields

import pytest
from appearance_transfer.developer.object_info import inputs_of

NODES = {
    "CrossImageAttention", "SemanticRearrangement", "InvertImageDDIM", "CrossAttentionGuider", "StructureDistance",
}  # fmt: skip
SETS = {  # settings, and what only a reproducer needs: by default, and as in the papers' code
    "CrossImageSettings": {
        "replayed": (False, True), "structure_everywhere": (False, True), "clip": (True, True),
        "match_width": (0.094, 0.0), "find": (False, False),
    },
    "RearrangementSettings": {
        "replayed": (False, True), "structure_everywhere": (False, True), "structure_rule": ("official", "official"),
        "find": (False, False),
    },
    "CrossAttentionSettings": {"bounded": (True, False), "update_target": ("negative", "negative")},
    "DDIMSettings": {"timesteps": ("consistent", "reference")},
    "Regularization": {"gain": (1.0, 1.0)},
}  # fmt: skip
CASES = [(name, field) for name, sets in SETS.items() for field in sets]


@pytest.fixture
def settings(host) -> dict[str, type]:
    """The classes, which can be imported once ComfyUI is there."""
    from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionSettings
    from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings
    from appearance_transfer.host.transfer.semantic_rearrangement import RearrangementSettings
    from appearance_transfer.inversion.regularize import Regularization
    from appearance_transfer.inversion.settings import DDIMSettings

    classes = CrossImageSettings, RearrangementSettings, CrossAttentionSettings, DDIMSettings, Regularization
    return {each.__name__: each for each in classes}


@pytest.mark.parametrize(("name", "field"), CASES)
def test_it_sets_this_field(settings, name, field) -> None:
    """Said outright, also where the default is the same today."""
    default, reference = SETS[name][field]
    assert getattr(settings[name](), field) == default
    assert getattr(settings[name].reference_code(), field) == reference


@pytest.mark.parametrize("name", SETS)
def test_it_sets_nothing_else(settings, name) -> None:
    plain, reference = settings[name](), settings[name].reference_code()
    others = {field.name for field in fields(plain)} - SETS[name].keys()
    assert {field for field in others if getattr(plain, field) != getattr(reference, field)} == set()


def test_these_nodes_have_it(ours) -> None:
    found = {}
    for node, about in ours.items():
        for name, _, options, _ in inputs_of(about):
            if name == "preset" and "reference code" in options["options"]:
                found[node.removeprefix("AppearanceTransfer_")] = options
    assert found.keys() == NODES
    for options in found.values():
        assert (options["options"], options["default"], options["advanced"]) == (
            ["default", "reference code"], "default", True,
        )  # fmt: skip


def test_a_node_takes_the_one_or_the_other(host, settings) -> None:
    from appearance_transfer.nodes.sockets import PRESETS, preset_of

    for each in settings.values():
        assert [preset_of(each, preset)() for preset in PRESETS] == [each(), each.reference_code()]
