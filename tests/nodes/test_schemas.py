"""What a user reads on the nodes: stable ids, and a sentence for every node, input and output."""

import re
from pathlib import Path

import pytest
from appearance_transfer.developer.object_info import AUTOGROW, WIDGETS, inputs_of

ROOT = Path(__file__).resolve().parents[2]
IDS = {  # part of the interface: a workflow that was saved once must open for ever
    "AppearanceTransfer_AdaIN",
    "AppearanceTransfer_AppearanceGuider",
    "AppearanceTransfer_AppearanceOptions",
    "AppearanceTransfer_ApplyDistilledEditor",
    "AppearanceTransfer_ApplyEditDirection",
    "AppearanceTransfer_ApplySpliceGenerator",
    "AppearanceTransfer_BackgroundLPIPS",
    "AppearanceTransfer_CLIPAcc",
    "AppearanceTransfer_CLIPImageSimilarity",
    "AppearanceTransfer_CLIPTextSimilarity",
    "AppearanceTransfer_ColorHistogramDistance",
    "AppearanceTransfer_ComparisonGrid",
    "AppearanceTransfer_CrossAttentionGuider",
    "AppearanceTransfer_CrossImageAttention",
    "AppearanceTransfer_DIFTFeatures",
    "AppearanceTransfer_DINOFeatures",
    "AppearanceTransfer_DrawGrid",
    "AppearanceTransfer_DrawMatches",
    "AppearanceTransfer_EditDirection",
    "AppearanceTransfer_EditPairCollector",
    "AppearanceTransfer_FindObject",
    "AppearanceTransfer_FlowEdit",
    "AppearanceTransfer_FuseFeatures",
    "AppearanceTransfer_GramDistance",
    "AppearanceTransfer_InversionReport",
    "AppearanceTransfer_InvertImage",
    "AppearanceTransfer_InvertImageDDIM",
    "AppearanceTransfer_InvertViTFeature",
    "AppearanceTransfer_LatentDeviation",
    "AppearanceTransfer_LoadDINOViT",
    "AppearanceTransfer_LoadDistilledEditor",
    "AppearanceTransfer_LoadEditDirection",
    "AppearanceTransfer_LoadInversion",
    "AppearanceTransfer_LoadPerceptualNetwork",
    "AppearanceTransfer_LoadPocketCheckpoint",
    "AppearanceTransfer_LoadSpliceGenerator",
    "AppearanceTransfer_MaskIoU",
    "AppearanceTransfer_MatchFeatures",
    "AppearanceTransfer_MatchReferences",
    "AppearanceTransfer_MirrorToMatch",
    "AppearanceTransfer_NullTextGuider",
    "AppearanceTransfer_NullTextInversion",
    "AppearanceTransfer_PCK",
    "AppearanceTransfer_PocketScene",
    "AppearanceTransfer_ReconstructionQuality",
    "AppearanceTransfer_ReferenceImage",
    "AppearanceTransfer_ResumeFromInversion",
    "AppearanceTransfer_SampleFromInversion",
    "AppearanceTransfer_SaveDistilledEditor",
    "AppearanceTransfer_SaveEditDirection",
    "AppearanceTransfer_SaveInversion",
    "AppearanceTransfer_SaveSpliceGenerator",
    "AppearanceTransfer_SelfSegmentation",
    "AppearanceTransfer_SemanticRearrangement",
    "AppearanceTransfer_ShowAttentionMatches",
    "AppearanceTransfer_ShowKeySelfSimilarity",
    "AppearanceTransfer_StructureDistance",
    "AppearanceTransfer_TrainDistilledEditor",
    "AppearanceTransfer_TrainSplice",
    "AppearanceTransfer_TransferGrid",
    "AppearanceTransfer_WarpByMatches",
    "AppearanceTransfer_WordAttentionMap",
}
FOUND_BY = {  # what people type who do not know the name of a method, and the nodes that they mean
    "style transfer": {"CrossImageAttention", "SemanticRearrangement", "LatentDeviation", "TrainSplice"},
    "texture transfer": {"CrossImageAttention", "SemanticRearrangement", "LatentDeviation", "TrainSplice"},
    "reference": {"CrossImageAttention", "SemanticRearrangement", "AppearanceOptions", "ReferenceImage"},
    "recolor": {"CrossImageAttention", "LatentDeviation", "AdaIN"},
    "inversion": {"InvertImage", "InvertImageDDIM", "NullTextInversion", "ResumeFromInversion", "LoadInversion"},
    "material": {"CrossImageAttention", "SemanticRearrangement", "LatentDeviation", "TrainSplice"},
    "\u98ce\u683c\u8fc1\u79fb": {
        "CrossImageAttention",
        "SemanticRearrangement",
        "LatentDeviation",
        "TrainSplice",
    },  # style
    "\u7eb9\u7406": {"CrossImageAttention", "SemanticRearrangement", "LatentDeviation", "TrainSplice"},  # texture
    "ip adapter": {"CrossImageAttention", "SemanticRearrangement"},
    "reference only": {"CrossImageAttention", "SemanticRearrangement", "ReferenceImage"},
    "style aligned": {"CrossImageAttention", "SemanticRearrangement"},
    "p2p": {"CrossAttentionGuider", "EditDirection"},
    "rf inversion": {"InvertImage", "InvertImageDDIM"},
    "color transfer": {"AdaIN"},
    "unsampler": {"InvertImage", "InvertImageDDIM", "NullTextInversion", "ResumeFromInversion"},
    "correspondence": {"MatchFeatures", "DrawMatches", "WarpByMatches", "ShowAttentionMatches", "DIFTFeatures"},
    "pix2pix": {"CrossAttentionGuider", "EditDirection", "ApplyEditDirection", "TrainDistilledEditor"},
}
ASKS_AGAIN = {"AppearanceTransfer_PocketScene"}  # nodes whose seed a user may want drawn anew; they start fixed


def sentences(text: str) -> int:
    """How many sentences: ends of a sentence that are followed by another, and the last one."""
    return len(re.findall(r"[.!?](?=\s+[A-Z])", text)) + 1


def tooltips(about) -> dict[str, str]:
    found = {}
    for name, kind, options, _ in inputs_of(about):
        found[name] = options.get("tooltip", "")
        if kind == AUTOGROW:
            for inner, (_, inner_options) in options["template"]["input"]["required"].items():
                found[f"{name}.{inner}"] = inner_options.get("tooltip", "")
    outputs = zip(about["output_name"], about["output_tooltips"], strict=True)
    return found | {f"output {name}": tooltip or "" for name, tooltip in outputs}


def test_the_ids_are_frozen(ours) -> None:
    assert set(ours) == IDS


def test_ids_stand_literally_in_the_schemas() -> None:
    """ComfyUI-Manager reads them without running the code."""
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nodes").glob("*.py"))
    assert set(re.findall(r'node_id="([^"]+)"', source)) == IDS


@pytest.mark.parametrize("typed", sorted(FOUND_BY))
def test_people_find_nodes_by_their_own_words(ours, typed) -> None:
    found = {
        node.removeprefix("AppearanceTransfer_")
        for node, about in ours.items()
        if any(typed in name.lower() for name in (about["display_name"], *about["search_aliases"]))
    }
    assert found >= FOUND_BY[typed]


def test_an_input_is_folded_away_everywhere_or_nowhere(ours) -> None:
    """One rule for one name. A seed is visible where another seed is another result, and folded away elsewhere; a batch
    of training is no batch of a forward.
    """
    folded: dict[str, set[bool]] = {}
    for about in ours.values():
        for name, kind, options, _ in inputs_of(about):
            if kind in WIDGETS:
                folded.setdefault(name, set()).add(bool(options.get("advanced")))
    assert [name for name, found in folded.items() if len(found) > 1] == ["seed"]


@pytest.mark.parametrize("node", sorted(IDS))
class TestNode:
    def test_category_and_label(self, ours, node) -> None:
        assert re.fullmatch(r"appearance transfer/[a-z]+", ours[node]["category"])
        assert ours[node]["display_name"]
        assert ours[node]["search_aliases"]

    def test_the_description_is_one_sentence(self, ours, node) -> None:
        description = ours[node]["description"]
        assert description.endswith(".")
        assert sentences(description) == 1

    def test_every_input_and_output_has_a_one_sentence_tooltip(self, ours, node) -> None:
        for name, tooltip in tooltips(ours[node]).items():
            assert tooltip.endswith("."), f"{name}: {tooltip!r}"
            assert sentences(tooltip) == 1, f"{name}: {tooltip!r}"

    def test_texts_are_safe_on_every_terminal(self, ours, node) -> None:
        for text in (ours[node]["description"], ours[node]["display_name"], *tooltips(ours[node]).values()):
            text.encode("cp1252")

    def test_defaults_are_allowed(self, ours, node) -> None:
        for name, kind, options, _ in inputs_of(ours[node]):
            if kind in ("INT", "FLOAT"):
                assert options["min"] <= options["default"] <= options["max"], name
            if kind == "COMBO":
                assert options.get("default", options["options"][0]) in options["options"], name

    def test_expert_inputs_have_a_default(self, ours, node) -> None:
        """They are folded away, so a user must be able to never see them."""
        for name, _, options, optional in inputs_of(ours[node]):
            if options.get("advanced"):
                assert optional or "default" in options, name

    def test_no_seed_changes_by_itself(self, ours, node) -> None:
        """The page draws a new number for every input called seed, unless told not to; all that follows runs again."""
        for name, kind, options, _ in inputs_of(ours[node]):
            if kind == "INT" and name in ("seed", "noise_seed"):
                assert options["control_after_generate"] == ("fixed" if node in ASKS_AGAIN else False)
