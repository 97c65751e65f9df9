"""A MASK without a batch dimension is one mask, for every node that takes one."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


def nodes_with_masks(host) -> dict[str, tuple[str, ...]]:
    """Node -> its inputs of masks; those of a growing input by the name of the input."""
    found = {}
    for name, node in host.nodes.items():
        if name.startswith("AppearanceTransfer_"):
            masks = [one.id for one in node.define_schema().inputs if "MASK" in kinds_of(one)]
            if masks:
                found[name] = tuple(masks)
    return found


def kinds_of(one) -> list[str]:
    inner = getattr(getattr(one, "template", None), "input", one)
    return str(inner.get_io_type()).split(",")


def test_every_node_gets_its_masks_in_one_form(host) -> None:
    """[H, W], [1, H, W] and [2, H, W] arrive as [1, H, W], [1, H, W] and [2, H, W]."""
    from appearance_transfer.nodes.guard import guarded

    nodes = nodes_with_masks(host)
    assert len(nodes) >= 9
    assert "AppearanceTransfer_MatchFeatures" in nodes
    seen = {}
    members = {"execute": classmethod(lambda cls, **values: seen.update(values))}
    for name, inputs in nodes.items():
        spy = guarded(type("Spy", (host.nodes[name],), members))
        for mask in (torch.rand(8, 8), torch.rand(1, 8, 8), torch.rand(2, 8, 8)):
            expected = mask.reshape(-1, 8, 8)
            growing = {"structure_regions": "region", "appearance_regions": "region"}
            spy.execute(**{one: {f"{growing[one]}0": mask} if one in growing else mask for one in inputs})
            for one in inputs:
                arrived = next(iter(seen[one].values())) if one in growing else seen[one]
                assert torch.equal(arrived, expected), (name, one)


@pytest.mark.parametrize("side", ["mask", "appearance_mask"])
def test_adain_takes_a_mask_without_a_batch(host, side) -> None:
    inversion = world.invert(world.small_model(), world.latents(1))
    mask = torch.zeros(16, 16)
    mask[4:12, 4:12] = 1
    latent = world.latents(2)
    node = host.nodes["AppearanceTransfer_AdaIN"]
    others = {one.id: one.default for one in node.define_schema().inputs if getattr(one, "default", None) is not None}
    results = [
        node.execute(appearance=inversion, **others, **{side: value}).args[0](latent=latent)
        for value in (mask, mask[None])
    ]
    assert torch.equal(*results)
