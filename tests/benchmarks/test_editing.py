"""Edits of pocket images: scenes and their answers, banks, the measures on images whose answer is known."""

from dataclasses import replace
from math import prod
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from appearance_transfer.benchmarks.editing import DISPLAYED, columns
from appearance_transfer.benchmarks.edits import batches
from appearance_transfer.benchmarks.edits.classifier import TRAITS as CLASSIFIED
from appearance_transfer.benchmarks.edits.classifier import SceneClassifier, labels, worsened
from appearance_transfer.benchmarks.edits.measures import EDGE, body_colors, measure
from appearance_transfer.benchmarks.edits.tasks import (
    EDITS,
    HORSE_TO_COW,
    PLAIN_TO_STRIPED,
    RED_TO_BLUE,
    SIZE,
    TRAITS,
)
from appearance_transfer.pocket.captions import parse
from appearance_transfer.pocket.latents import LatentPlan
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.pocket.train_autoencoder import AutoencoderPlan
from appearance_transfer.pocket.train_segmenter import SegmenterPlan
from torch.nn.functional import max_pool2d

NOBODY = SimpleNamespace(predictions=lambda images: {trait: [""] * len(images) for trait in CLASSIFIED})


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
class TestEdits:
    def test_scenes_show_the_source_and_no_training_has_seen_them(self, edit) -> None:
        scenes = edit.scenes(32)
        assert {getattr(scene, edit.trait) for scene in scenes} == {edit.source}
        assert len({scene.seed for scene in scenes}) == 32
        assert scenes[-1].seed < min(plan().first_seed for plan in (AutoencoderPlan, LatentPlan, SegmenterPlan))
        assert edit.scenes(3) == scenes[:3]

    def test_the_answer_differs_in_nothing_else(self, edit) -> None:
        scene = edit.scenes(1)[0]
        answer = edit.answer(scene)
        assert getattr(answer, edit.trait) == edit.target
        back = {edit.trait: edit.source}
        assert replace(answer, **back, part_colors=scene.part_colors) == scene
        assert answer.part_colors[1:] == scene.part_colors[1:]

    def test_banks_have_every_caption_of_a_word_and_the_same_surroundings(self, edit) -> None:
        source, target = (edit.bank(word) for word in (edit.source, edit.target))
        assert len(set(source)) == prod(map(len, TRAITS.values())) / len(TRAITS[edit.trait])
        assert all(parse(text)[edit.trait] == edit.source for text in source)
        assert [text.replace(edit.source, edit.target) for text in source] == target


class TestMeasures:
    def test_the_perfect_answer_and_the_unchanged_image(self) -> None:
        scenes = RED_TO_BLUE.scenes(4)
        grain = 0.01 * torch.randn(4, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
        found = {}
        for name, displayed in (("answer", [RED_TO_BLUE.answer(scene) for scene in scenes]), ("image", scenes)):
            found[name] = measure(RED_TO_BLUE, scenes, (render(displayed, SIZE).image + grain).clamp(0, 1), NOBODY)
        assert found["answer"]["success"] == [1] * 4
        assert found["image"]["success"] == [0] * 4
        assert found["answer"]["body_color_error"] == pytest.approx([0] * 4, abs=0.01)
        assert found["image"]["body_color_error"] == pytest.approx([1] * 4, abs=0.01)
        for values in found.values():
            assert min(values["silhouette_iou"]) > 0.9
            assert values["background_psnr"] == pytest.approx([40] * 4, abs=0.5)  # of noise of 0.01: 20 log10(100)

    def test_background_is_where_neither_animal_is(self) -> None:
        scenes = HORSE_TO_COW.scenes(2)
        both = [render(some, SIZE) for some in (scenes, [HORSE_TO_COW.answer(scene) for scene in scenes])]
        animals = both[0].mask + both[1].mask
        edge = round(EDGE * SIZE)
        animals = max_pool2d(animals, 2 * edge + 1, stride=1, padding=edge)[..., None] > 0
        grain = torch.full_like(both[0].image, 0.1)
        output = torch.where(animals, 0.0, both[0].image * 0.8 + grain)
        expected = measure(HORSE_TO_COW, scenes, output, NOBODY)["background_psnr"]
        changed_animal = torch.where(animals, 1.0, output)
        assert measure(HORSE_TO_COW, scenes, changed_animal, NOBODY)["background_psnr"] == expected

    def test_body_colors_of_plain_renderings(self) -> None:
        scenes = [random_scene(seed, coat="plain") for seed in range(30)]
        truth = render(scenes, SIZE)
        assert body_colors(truth.image, truth.parts) == [scene.color for scene in scenes]


class TestClassifier:
    def test_verdicts_are_words_of_every_trait(self) -> None:
        predictions = SceneClassifier().eval().predictions(torch.rand(3, SIZE, SIZE, 3))
        assert predictions.keys() == CLASSIFIED.keys()
        assert all(len(words) == 3 and set(words) <= set(CLASSIFIED[trait]) for trait, words in predictions.items())

    def test_labels_are_the_words_of_the_scenes(self) -> None:
        scenes = [random_scene(seed) for seed in range(5)]
        for trait, indexes in labels(scenes).items():
            assert [CLASSIFIED[trait][index] for index in indexes] == [getattr(scene, trait) for scene in scenes]

    def test_worsened_images_are_images_each_of_its_own(self) -> None:
        images = torch.rand(1, 3, 16, 16).expand(4, 3, 16, 16)
        changed = worsened(images)
        assert changed.shape == images.shape
        assert 0 <= changed.min() <= changed.max() <= 1
        assert not torch.equal(changed[0], changed[1])


def test_the_sheet_is_white_where_a_method_is_not_for_an_edit() -> None:
    images = torch.zeros(DISPLAYED, SIZE, SIZE, 3)
    displayed = columns({HORSE_TO_COW: {"ours": images}, PLAIN_TO_STRIPED: {"ours": images, "distilled": images}})
    assert list(displayed) == ["image", "ours", "distilled"]
    assert {len(column) for column in displayed.values()} == {2 * DISPLAYED}
    assert displayed["distilled"][:DISPLAYED].min() == 1
    assert displayed["distilled"][DISPLAYED:].max() == 0


def test_a_method_may_be_run_on_the_first_batches_alone(monkeypatch) -> None:
    """Nine scenes are two batches; what is counted is of the first."""
    image = np.zeros((1, SIZE, SIZE, 3), np.float32)
    every, one = {"ours": image, "ours, 10 steps": image}, {"ours": image}
    parts = [batches.Part(every, {"ours": 150.0}), batches.Part(one, {"ours": 150.0})]
    asked = []
    monkeypatch.setattr(batches, "in_hosts", lambda comfyui, work, of, workers: asked.extend(of) or parts)
    outputs, evaluations = batches.run_methods(None, [RED_TO_BLUE], 9, (), None, 1)
    assert [(batch.first, len(batch.scenes)) for batch in asked] == [(0, 8), (8, 1)]
    assert {name: len(images) for name, images in outputs[RED_TO_BLUE].items()} == {"ours": 2, "ours, 10 steps": 1}
    assert evaluations[RED_TO_BLUE] == {"ours": 150.0}
