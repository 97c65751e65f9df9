"""What the benchmarks of the pocket networks count, on scenes whose truth is known."""

import dataclasses

import pytest
import torch
from appearance_transfer.benchmarks.captions import ALL, by_species, captions, judged
from appearance_transfer.benchmarks.denoising import BANDS, encoded, errors, ratio
from appearance_transfer.pocket.captions import parse
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import COLORS, GROUNDS, random_scene

SUBJECTS = [("horse", "red"), ("cow", "blue"), ("cow", "yellow")]


class Reader:
    """Sees a cow in everything."""

    def predictions(self, images: torch.Tensor) -> dict[str, list[str]]:
        return {"species": ["cow"] * len(images)}


@pytest.mark.parametrize("size", [128, 256])
def test_renderings_have_the_color_of_their_caption_at_both_sizes(size) -> None:
    scenes = []
    for seed, (species, color) in enumerate(SUBJECTS):
        scene = random_scene(seed, species=species, coat="plain")
        scenes.append(dataclasses.replace(scene, part_colors=(COLORS[color], *scene.part_colors[1:])))
    images = render(scenes, size).image
    found = judged(SUBJECTS, images, Reader())
    assert found == {"color": [1.0, 1.0, 1.0], "species": [0.0, 1.0, 1.0]}
    wrong = judged([(species, "green") for species, _ in SUBJECTS], images, Reader())
    assert wrong["color"] == [0.0, 0.0, 0.0]


def test_the_table_has_a_line_per_species_and_one_of_all() -> None:
    table = by_species(SUBJECTS, {"net": {"color": [1.0, 0.0, 1.0]}})
    assert table == {
        "net: horse": {"color": [1.0]},
        "net: cow": {"color": [0.0, 1.0]},
        f"net: {ALL}": {"color": [1.0, 0.0, 1.0]},
    }


def test_a_network_may_have_been_run_on_fewer_samples_than_another() -> None:
    values = {"one": {"color": [1.0, 0.0, 1.0]}, "other": {"color": [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]}}
    table = by_species(SUBJECTS * 2, values)
    assert table["one: cow"] == {"color": [0.0, 1.0]}
    assert table["other: cow"] == {"color": [0.0, 1.0, 0.0, 0.0]}


def test_an_image_without_a_body_shows_no_color() -> None:
    assert judged([("horse", "red")], torch.full((1, 128, 128, 3), 0.8), Reader())["color"] == [0.0]


def test_captions_are_words_of_the_world() -> None:
    read = [parse(text) for text in captions(SUBJECTS)]
    assert [(about["species"], about["color"]) for about in read] == SUBJECTS
    assert [about["ground"] for about in read] == list(GROUNDS[:3])


def test_errors_fall_with_the_noise_and_are_the_same_again() -> None:
    scenes = [random_scene(seed) for seed in range(3)]
    latents = encoded(scenes, 64)
    found = errors(DEFAULT_NETWORK, scenes, latents)
    assert found == errors(DEFAULT_NETWORK, scenes, latents)
    bands = [sum(found[f"{low} to {high}"]) for low, high in BANDS]
    assert bands == sorted(bands, reverse=True)
    assert bands[-1] < sum(found["mean"]) < bands[0]


def test_the_ratio_of_means_is_the_mean_of_ratios() -> None:
    one, other = {"mean": [0.2, 0.4]}, {"mean": [0.1, 0.3]}
    assert sum(ratio(one, other)["mean"]) / 2 == pytest.approx(0.6 / 0.4)
