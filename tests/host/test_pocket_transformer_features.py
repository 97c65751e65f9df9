"""The pocket transformer's features in the nodes that take FEATURES or a MODEL: matched, fused, found, mirrored."""

import pytest
import torch
from appearance_transfer.developer.client import GraphError
from appearance_transfer.pocket.checkpoint import TRANSFORMER_NETWORK
from appearance_transfer.tests.golden.reference import noted
from torch.nn.functional import interpolate

PACK = "AppearanceTransfer_"
PRESET = "pocket transformer"


def node(kind: str, **inputs: object) -> dict:
    return {"class_type": kind, "inputs": inputs}


def graph() -> dict:
    """A horse and another animal that faces the same way, their features, matches, object and mirrored image."""
    nodes = {
        "checkpoint": node(f"{PACK}LoadPocketCheckpoint", network=TRANSFORMER_NETWORK, precision="fp32"),
        "text": node("CLIPTextEncode", clip=["checkpoint", 1], text="a photo of an animal"),
        "mirrored": node("ImageFlip", image=["appearance", 0], flip_method="y-axis: horizontally"),
    }
    looked_at = {"model": ["checkpoint", 0], "positive": ["text", 0], "vae": ["checkpoint", 2], "ensemble": 2}
    for name, seed in (("structure", 900000), ("appearance", 900001)):
        nodes[name] = node(f"{PACK}PocketScene", seed=seed, size=256, species="any", coat="any", view="any")
        nodes[f"features_{name}"] = node(
            f"{PACK}DIFTFeatures", image=[name, 0], feature_preset=PRESET, posterior="mean", **looked_at
        )
        nodes[f"keys_{name}"] = node(
            f"{PACK}DIFTFeatures", image=[name, 0], feature_preset="custom", timestep=800, block=4, block_facet="keys",
            posterior="mean", **looked_at,
        )  # fmt: skip
        nodes[f"fused_{name}"] = node(
            f"{PACK}FuseFeatures",
            **{"features.features0": [f"features_{name}", 0], "features.features1": [f"keys_{name}", 0]},
        )
    nodes["matches"] = node(
        f"{PACK}MatchFeatures", structure=["fused_structure", 0], appearance=["fused_appearance", 0], method="field",
        structure_mask=["structure", 1], appearance_mask=["appearance", 1],
    )  # fmt: skip
    nodes["itself"] = node(
        f"{PACK}MatchFeatures", structure=["features_structure", 0], appearance=["features_structure", 0],
        method="nearest",
    )  # fmt: skip
    nodes["object"] = node(f"{PACK}FindObject", image=["structure", 0], features=["features_structure", 0])
    nodes["turned"] = node(
        f"{PACK}MirrorToMatch", model=["checkpoint", 0], vae=["checkpoint", 2], positive=["text", 0], ensemble=2,
        structure=["appearance", 0], appearance=["mirrored", 0], feature_preset=PRESET,
    )  # fmt: skip
    return nodes


@pytest.fixture(scope="module")
def run(host):
    return host.run(
        graph(), matches=("matches", 0), itself=("itself", 0), found=("object", 0), shape=("structure", 1),
        facing=("turned", 0), appearance=("appearance", 0), features=("features_structure", 0),
    )  # fmt: skip


def test_the_grid_is_that_of_the_tokens(run) -> None:
    assert run.features.grid == (16, 16)
    assert run.features.image == (256, 256)
    assert run.features.source["block"] == "5"


def test_an_image_matches_itself(run) -> None:
    assert torch.equal(run.itself.best[0].flatten(), torch.arange(256))


def test_fused_features_match_inside_the_animals(run) -> None:
    matched = run.matches.best >= 0
    assert matched.any()
    assert run.matches.subcell is not None


def test_the_object_is_found_by_them(run) -> None:
    found, shape = run.found[0] > 0.5, run.shape[0] > 0.5
    assert noted(float((found & shape).sum() / (found | shape).sum())) > 0.5


def test_a_run_reads_the_object_where_the_image_is_seen_best(host, caplog) -> None:
    """By one look at each image, besides those for the matches; Find Object with the model finds the same."""
    nodes = graph()
    for role in ("structure", "appearance"):
        nodes[f"reference_{role}"] = node(
            f"{PACK}ReferenceImage", model=["checkpoint", 0], image=[role, 0], vae=["checkpoint", 2],
            positive=["text", 0], negative=["text", 0], text="", steps=4, start_at_step=1, seed=42,
        )  # fmt: skip
    nodes["found"] = node(
        f"{PACK}MatchReferences", model=["checkpoint", 0], structure=["reference_structure", 0],
        appearance=["reference_appearance", 0], method="field",
    )  # fmt: skip
    looked_at = {"model": ["checkpoint", 0], "vae": ["checkpoint", 2], "positive": ["text", 0]}
    nodes["object"] = node(f"{PACK}FindObject", image=["structure", 0], **looked_at)
    with caplog.at_level("INFO"):
        run = host.run(nodes, before=("found", 1), alone=("object", 0), shape=("structure", 1))
    assert "14 evaluations of the model to find objects and matches." in caplog.text
    assert "1 evaluations of the model, 1 of every image." in caplog.text
    shape = run.shape[0] > 0.5
    for found in (run.before[0] > 0.5, run.alone[0] > 0.5):
        found = interpolate(found[None, None].float(), size=shape.shape)[0, 0] > 0.5
        assert noted(float((found & shape).sum() / (found | shape).sum())) > 0.85


def test_a_mirror_image_is_turned_back(run) -> None:
    assert torch.equal(run.facing, run.appearance)


def test_features_of_a_block_find_more_than_chance(host) -> None:
    """On four tuning pairs, by the field, mirrored as fits; a twentieth of an animal's positions lie so near."""
    from appearance_transfer.benchmarks.matches.elsewhere import finer
    from appearance_transfer.benchmarks.matches.keypoints import fractions_found, keypoints_of
    from appearance_transfer.benchmarks.matches.sides import both_ways
    from appearance_transfer.benchmarks.transfers.dift import dift
    from appearance_transfer.benchmarks.transfers.inverted import models_of
    from appearance_transfer.benchmarks.transfers.pairs import held_out_pairs, rendered
    from appearance_transfer.correspondence.dift import BLOCK_PRESETS
    from appearance_transfer.correspondence.match import match

    truth = rendered(held_out_pairs(4, first_seed=800_000), 256)
    models = models_of(TRANSFORMER_NETWORK)
    sets = (
        (truth.structure.image, truth.structure_nouns),
        (truth.appearance.image, truth.appearance_nouns),
        (truth.appearance.image.flip(2), truth.appearance_nouns),
    )
    with torch.inference_mode():
        sides = tuple(finer(dift(models, *one, **BLOCK_PRESETS[PRESET], ensemble=2)) for one in sets)
        ways = both_ways(sides, match, truth)
    found = fractions_found(ways.taken(ways.by_cosine()), keypoints_of(truth))
    assert noted(float(found.mean())) > 0.4


def test_settings_for_a_u_net_are_refused(host) -> None:
    nodes = graph()
    nodes["features_structure"]["inputs"]["feature_preset"] = "semantic"
    with pytest.raises(GraphError, match="The settings are for a U-Net"):
        host.run(nodes, features=("features_structure", 0))
