"""What benchmarks leave behind: held-out pairs, tables of one form, sheets."""

import csv
from pathlib import Path

import torch
from appearance_transfer.benchmarks.reporting.sheet import write_sheet
from appearance_transfer.benchmarks.reporting.table import COLUMNS, as_text, write_table
from appearance_transfer.benchmarks.transfers.pairs import held_out_pairs
from appearance_transfer.evaluation.comparison import GAP, HEADING
from appearance_transfer.pocket.latents import LatentPlan
from appearance_transfer.pocket.train_autoencoder import AutoencoderPlan
from appearance_transfer.pocket.train_segmenter import SegmenterPlan
from PIL import Image

VALUES = {"identity": {"error": [1.0, 1.0]}, "ours": {"error": [0.25, 0.75], "overlap": [0.5, 0.5]}}


def test_pairs_are_of_different_animals_that_no_training_has_seen() -> None:
    pairs = held_out_pairs(32)
    for pair in pairs:
        assert pair.structure.species != pair.appearance.species
        assert pair.structure.coat != pair.appearance.coat
        assert pair.structure.pose != pair.appearance.pose
    seeds = [scene.seed for pair in pairs for scene in (pair.structure, pair.appearance)]
    assert len(set(seeds)) == 64
    assert max(seeds) < min(plan().first_seed for plan in (AutoencoderPlan, LatentPlan, SegmenterPlan))


def test_more_pairs_begin_with_the_same_ones() -> None:
    assert held_out_pairs(5)[:2] == held_out_pairs(2)


def test_table_has_a_line_per_method_and_metric(tmp_path: Path) -> None:
    write_table(tmp_path / "results" / "table.csv", VALUES)
    with open(tmp_path / "results" / "table.csv", newline="") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == COLUMNS
    assert lines[0] == ["identity", "error", "1.0000", "1.0000", "1.0000", "2"]
    assert [line[:3] for line in lines[1:]] == [["ours", "error", "0.5000"], ["ours", "overlap", "0.5000"]]


def test_text_has_a_line_per_method_and_a_column_per_metric() -> None:
    heading, identity, ours = as_text(VALUES).split("\n")
    assert heading.split() == ["error", "overlap"]
    assert identity.split()[:2] == ["identity", "1.0000"]
    assert ours.index("0.5000 [0.5000, 0.5000]") == heading.index("overlap")


def test_sheet_shows_a_column_per_method(tmp_path: Path) -> None:
    red, blue = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
    write_sheet(tmp_path / "sheet.png", {"red": red.expand(2, 8, 8, 3), "blue": blue.expand(2, 8, 8, 3)}, scale=2)
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.size == (2 * (16 + GAP), HEADING + 2 * (16 + GAP))
    assert sheet.getpixel((3, HEADING + 3)) == (255, 0, 0)
    assert sheet.getpixel((16 + GAP + 3, HEADING + 16 + GAP + 3)) == (0, 0, 255)
