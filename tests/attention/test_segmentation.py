"""Self-segmentation: the official partitions and masks, and every way it can go wrong. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.kmeans import kmeans
from appearance_transfer.attention.segmentation import cluster_pixels, label_clusters, noun_map, object_mask
from appearance_transfer.tests.golden.reference import golden

CASES = ["32_app", "32_struct", "64_app", "64_struct"]


def reference_attention(case):
    features = golden("operators", f"seg.feat_{case}")
    return torch.softmax(golden("operators", f"seg.scale_{case[:2]}") * features @ features.T, dim=-1)


def same_partition(a, b) -> bool:
    pairs = set(zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs})


@pytest.mark.parametrize("case", CASES)
def test_masks_and_segments_are_the_official_ones(case):
    """Equal at every pixel (k-means of scikit-learn 1.9.1 there). Words 4 and 7 stand in token columns 5 and 8."""
    resolution = int(case[:2])
    cross = golden("operators", f"seg.cross_{case}")
    maps = {"cat": noun_map(cross, [5]), "sofa": noun_map(cross, [8])}
    found = object_mask(reference_attention(case), maps, ["cat"], (resolution, resolution))
    assert same_partition(found.labels, golden("operators", f"seg.clusters_{case}"))
    assert torch.equal(found.mask, golden("operators", f"seg.mask_{case}").float())
    assert not found.empty


@pytest.fixture
def world():
    """A 6 x 8 image: an object on the left, another on the right, two grounds; attention within each region."""
    regions = torch.zeros(6, 8, dtype=torch.long)
    regions[3:] = 1
    regions[1:5, 1:3] = 2
    regions[1:5, 5:7] = 3
    same = (regions.view(-1, 1) == regions.view(1, -1)).float()
    noise = torch.rand(48, 48, generator=torch.Generator().manual_seed(0)) * 0.1
    attention = (same + noise) / (same + noise).sum(dim=1, keepdim=True)
    return regions, attention


def maps_of(regions, **positions):
    return {noun: 0.01 + 0.5 * (regions.flatten() == region).float() for noun, region in positions.items()}


def test_a_noun_finds_its_region(world):
    regions, attention = world
    maps = maps_of(regions, dog=2, ball=3)
    for objects, expected in ((["dog"], [2]), (["ball"], [3]), (["dog", "ball"], [2, 3])):
        found = object_mask(attention, maps, objects, (6, 8), map_size=(6, 8), clusters=4)
        assert torch.equal(found.mask, torch.isin(regions, torch.tensor(expected)).float())
        assert not found.empty
        assert sorted(str(noun) for noun in found.nouns) == ["None", "None", "ball", "dog"]
        assert same_partition(found.labels, regions)


def test_maps_of_half_the_size_are_enlarged(world):
    regions, attention = world
    small = {noun: values.view(6, 8)[1::2, ::2].flatten() for noun, values in maps_of(regions, dog=2, ball=3).items()}
    found = object_mask(attention, small, ["dog"], (6, 8), clusters=4)
    assert torch.equal(found.mask, (regions == 2).float())
    with pytest.raises(ValueError, match="3x4 grid has 12 values, not 48"):
        object_mask(attention, maps_of(regions, dog=2), ["dog"], (6, 8))


@pytest.mark.parametrize(("objects", "sentence"), [(["cat"], "'cat'.*'dog'"), ([], "no noun at all")])
def test_a_noun_that_is_not_in_the_prompt_is_refused(world, objects, sentence):
    regions, attention = world
    with pytest.raises(ValueError, match=sentence):
        object_mask(attention, maps_of(regions, dog=2), objects, (6, 8), map_size=(6, 8))


def test_attention_of_another_size_is_refused(world):
    regions, attention = world
    with pytest.raises(ValueError, match="Self-attention of a 8x8 grid"):
        object_mask(attention, maps_of(regions, dog=2), ["dog"], (8, 8))


def test_nothing_that_stands_out_is_an_empty_mask(world):
    _, attention = world
    found = object_mask(attention, {"dog": torch.full((48,), 0.3)}, ["dog"], (6, 8), map_size=(6, 8))
    assert found.empty
    assert not found.mask.any()
    assert set(found.nouns) == {None}


def test_a_map_of_zeros_is_an_empty_mask(world):
    _, attention = world
    found = object_mask(attention, {"dog": torch.zeros(48)}, ["dog"], (6, 8), map_size=(6, 8))
    assert found.empty


def test_attention_that_is_the_same_everywhere_is_an_empty_mask():
    regions = torch.arange(16) // 8
    found = object_mask(torch.full((16, 16), 1 / 16), maps_of(regions, dog=1), ["dog"], (4, 4), map_size=(4, 4))
    assert found.empty


def test_a_word_of_several_tokens_counts_them_all():
    cross = torch.tensor([[0.1, 0.2, 0.6], [0.3, 0.4, 0.0]])
    torch.testing.assert_close(noun_map(cross, [1, 2]), torch.tensor([0.4, 0.2]))
    with pytest.raises(ValueError, match="no token"):
        noun_map(cross, [])


def test_labels_by_hand():
    """Scores of the clusters 1.0, 0.2, 0.1: the threshold is 1.4 * mean(0.2, 0.1) = 0.21."""
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    values = torch.tensor([1.0, 1.0, 0.2, 0.2, 0.1, 0.1])
    maps = {"dog": torch.cat([values, torch.zeros(0)])}
    # (m - |min|) / max: 0.9, 0.1, 0.0 -> threshold 1.4 * 0.05 = 0.07
    assert label_clusters(labels, maps) == ["dog", "dog", None]
    assert label_clusters(labels, maps, factor=2.5) == ["dog", None, None]
    assert label_clusters(labels, maps | {"cat": values.flip(0)}) == ["dog", None, "cat"]
    with pytest.raises(ValueError, match="no noun"):
        label_clusters(labels, {})


def test_a_label_without_pixels_is_background():
    labels = torch.tensor([0, 0, 3, 3])
    assert label_clusters(labels, {"dog": torch.tensor([0.0, 0.0, 1.0, 1.0])}) == [None, None, None, "dog"]


def test_clusters_repeat_by_seed(world):
    _, attention = world
    assert torch.equal(cluster_pixels(attention, 4, seed=3), cluster_pixels(attention, 4, seed=3))


def test_kmeans_finds_the_best_of_its_restarts():
    """Six tight groups: a single start often merges two of them; the lowest inertia of ten does not."""
    generator = torch.Generator().manual_seed(0)
    groups = torch.arange(6).repeat_interleave(20)
    rows = torch.randn(6, 10, generator=generator)[groups] * 5 + torch.randn(120, 10, generator=generator) * 0.1
    for seed in range(5):
        assert same_partition(kmeans(rows, 6, seed=seed), groups)


def test_kmeans_agrees_with_an_exhaustive_search():
    """Nine numbers into two clusters: the best of all 255 divisions."""
    rows = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.4, 2.2, 2.3, 2.9, 3.5])[:, None]
    divisions = [torch.tensor([bits >> i & 1 for i in range(9)]) for bits in range(1, 256)]

    def inertia(labels):
        return sum(float((rows[labels == x] - rows[labels == x].mean()).square().sum()) for x in (0, 1))

    found = kmeans(rows, 2)
    assert inertia(found) == pytest.approx(min(map(inertia, divisions)))


def test_kmeans_of_equal_rows_and_impossible_counts():
    assert kmeans(torch.ones(5, 3), 3).shape == (5,)
    assert kmeans(torch.ones(5, 3), 3).unique().numel() == 1
    assert kmeans(torch.arange(4.0)[:, None], 4).unique().numel() == 4
    for clusters in (0, 6):
        with pytest.raises(ValueError, match="5 rows"):
            kmeans(torch.ones(5, 3), clusters)
