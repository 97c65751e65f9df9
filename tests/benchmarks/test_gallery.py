"""The images of docs/gallery.md: what there is, how it is kept, how a sheet is drawn. Values are made up here."""

import numpy as np
import torch
from appearance_transfer.benchmarks import gallery
from appearance_transfer.benchmarks.panels.contents import COLUMNS, EDITS, METHODS, PAIRS, SERIES, entries
from appearance_transfer.benchmarks.panels.kept import is_kept, keep, read
from appearance_transfer.benchmarks.panels.scenes import as_edited, edits, pairs
from appearance_transfer.benchmarks.panels.sheet import Column, Panel, captioned_sheet
from appearance_transfer.benchmarks.transfers.pairs import FIRST_SEED
from appearance_transfer.developer.paths import ROOT

VALUES = {"part_color_error": [0.25, 0.5], "silhouette_iou": [0.9, 0.8]}


def test_every_entry_is_on_a_sheet_once_and_a_series_shows_the_default() -> None:
    every = entries()
    assert len(set(every)) == len(every) == len(COLUMNS) + 1 + sum(len(series.values) for series in SERIES)
    assert {sheet for sheet, _ in every} == set(gallery.SHEETS)
    for series in SERIES:
        assert [label for label in series.labels if label.endswith(", the default")] == [
            f"{series.default:g}, the default"
        ]


def test_the_pairs_are_the_first_that_there_are() -> None:
    assert len(pairs()) == PAIRS
    assert pairs()[0].structure.seed == FIRST_SEED
    for pair, edit, edited in zip(pairs(), edits(pairs()), as_edited(pairs()), strict=True):
        assert (edit.source, edit.target) == (pair.structure.coat, pair.appearance.coat)
        assert edited.structure == pair.structure
        assert edited.appearance.coat == edit.target
        assert edited.appearance.species == pair.structure.species


def test_what_is_kept_comes_back(tmp_path) -> None:
    entry = ("strength", "1, the default")
    assert not is_kept(tmp_path, entry)
    images = torch.rand(2, 4, 6, 3)
    keep(tmp_path, entry, images, VALUES, seconds=1.5)
    kept = read(tmp_path, entry)
    assert is_kept(tmp_path, entry)
    assert np.array_equal(kept.images, (images * 255).round().byte().numpy())
    assert (kept.errors, kept.ious, kept.seconds) == (VALUES["part_color_error"], VALUES["silhouette_iou"], 1.5)


def test_a_sheet_holds_every_panel_with_its_pixels() -> None:
    images = (np.random.default_rng(0).random((2, 2, 16, 200, 3)) * 255).astype(np.uint8)
    columns = [Column(f"name {i}, x", [Panel(image, "IoU 0.9") for image in some]) for i, some in enumerate(images)]
    sheet = np.asarray(captioned_sheet(columns))
    assert sheet.shape[1] == 2 * 200 + 8
    for left, some in zip((0, 208), images, strict=True):
        for image in some:
            tops = [
                top for top in range(len(sheet) - 15) if np.array_equal(sheet[top : top + 16, left : left + 200], image)
            ]
            assert len(tops) == 1


def test_the_page_shows_every_sheet() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    written = {gallery.image_of(name).name for name in (METHODS, EDITS, *(series.name for series in SERIES))}
    assert {name for name in written if f"](images/{name})" in page} == written
