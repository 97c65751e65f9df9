"""Cross-image attention that finds objects and matches itself, or is given them; and the node Find Object."""

import pytest
import torch
from appearance_transfer.correspondence.correspondence import Correspondence
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK
from appearance_transfer.tests.host.small_world import (
    count_evaluations,
    invert,
    latents,
    sample,
    small_model,
    transfer_settings,
)


@pytest.fixture(scope="module")
def model(host):
    return small_model()


def transferred(model, inversions, **words):
    from appearance_transfer.host.transfer.cross_image_attention import transfer_appearance
    from appearance_transfer.host.transfer.plan import Appearance

    structure, appearance = inversions
    own_guidance = {name: words.pop(name) for name in ("mask", "appearance_mask", "correspondence") if name in words}
    return transfer_appearance(model, [Appearance(appearance, **own_guidance)], structure, transfer_settings(**words))


@pytest.fixture(scope="module")
def inversions(model):
    return invert(model, latents(0)), invert(model, latents(1))


def same_places(grid: tuple[int, int] = (16, 16), confidence: float = 1.0) -> Correspondence:
    index = torch.arange(grid[0] * grid[1]).view(1, 1, *grid)
    ones = torch.ones(1, *grid)
    return Correspondence(index, ones[:, None], ones, confidence * ones, grid, (128, 128), (128, 128))


class TestGuidance:
    def test_width_0_and_no_trust_are_no_matches(self, model, inversions) -> None:
        plain = sample(transferred(model, inversions), inversions[0])
        off = transferred(model, inversions, correspondence=same_places(), match_width=0.0)
        assert torch.equal(sample(off, inversions[0]), plain)
        faded = transferred(model, inversions, correspondence=same_places(confidence=0.0))
        torch.testing.assert_close(sample(faded, inversions[0]), plain, atol=1e-4, rtol=1e-4)

    def test_matches_and_key_masks_change_the_output(self, model, inversions) -> None:
        plain = sample(transferred(model, inversions), inversions[0])
        guided = sample(transferred(model, inversions, correspondence=same_places()), inversions[0])
        half = torch.zeros(1, 16, 16)
        half[..., 8:] = 1
        masked = sample(transferred(model, inversions, appearance_mask=half), inversions[0])
        assert not torch.equal(guided, plain)
        assert not torch.equal(masked, plain)

    def test_finding_costs_three_evaluations(self, model, inversions) -> None:
        counts = []
        for find in (False, True):
            patched = transferred(model, inversions, find=find)
            counter = count_evaluations(patched)
            sample(patched, inversions[0])
            counts.append(counter.samples)
        assert counts[1] - counts[0] == 3

    def test_everything_given_is_nothing_found(self, model, inversions) -> None:
        ones = torch.ones(1, 16, 16)
        own_guidance = {"mask": ones, "appearance_mask": ones, "correspondence": same_places()}
        counts, outputs = [], []
        for find in (False, True):
            patched = transferred(model, inversions, find=find, **own_guidance)
            counter = count_evaluations(patched)
            outputs.append(sample(patched, inversions[0]))
            counts.append(counter.samples)
        assert counts[0] == counts[1]
        assert torch.equal(*outputs)

    def test_the_reference_code_finds_nothing(self) -> None:
        from appearance_transfer.host.transfer.cross_image_attention import CrossImageSettings

        settings = CrossImageSettings.reference_code(find=True, match_width=0.1)
        assert not settings.find
        assert settings.match_width == 0

    def test_an_empty_appearance_mask_is_told_before_the_run(self, model, inversions) -> None:
        patched = transferred(model, inversions, appearance_mask=torch.zeros(1, 16, 16))
        with pytest.raises(ValueError, match="appearance_mask is empty"):
            sample(patched, inversions[0])


class TestFindObject:
    def test_it_finds_the_animal_of_a_pocket_scene(self, host) -> None:
        graph = {
            "checkpoint": {"class_type": "AppearanceTransfer_LoadPocketCheckpoint", "inputs": POCKET},
            "scene": {"class_type": "AppearanceTransfer_PocketScene", "inputs": SCENE},
            "text": {"class_type": "CLIPTextEncode", "inputs": TEXT},
            "find": {"class_type": "AppearanceTransfer_FindObject", "inputs": {
                "image": ["scene", 0], "model": ["checkpoint", 0], "vae": ["checkpoint", 2], "positive": ["text", 0],
                "object_points": "", "background_points": "", "seed": 42,
            }},
        }  # fmt: skip
        run = host.run(graph, found=("find", 0), true=("scene", 1))
        found, true = run.found > 0.5, run.true > 0.5
        assert run.found.shape == run.true.shape
        assert (found & true).sum() / (found | true).sum() > 0.8
        assert ((run.found == 0) | (run.found == 1)).float().mean() > 0.7, "only its edge is soft"

    def test_it_says_what_is_missing(self) -> None:
        from appearance_transfer.host.matching.object_finding import as_clicks, maps_of

        image = torch.rand(1, 32, 32, 3)
        with pytest.raises(ValueError, match="Nothing to find the object by"):
            maps_of(image, None, None, None, None, 0)
        with pytest.raises(ValueError, match="lacks vae and positive"):
            maps_of(image, None, object(), None, None, 0)
        with pytest.raises(ValueError, match="outside of the image"):
            as_clicks([(40, 3)], [], (32, 32))


POCKET = {"network": DEFAULT_NETWORK, "precision": "fp32"}
TEXT = {"text": "a photo of an animal", "clip": ["checkpoint", 1]}
SCENE = {"seed": 3, "size": 128, "species": "any", "coat": "any", "view": "any"}
