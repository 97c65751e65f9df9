"""A grid of transfers as one image: every result where its two images meet."""

import pytest
from appearance_transfer.evaluation.comparison import GAP, HEADING
from appearance_transfer.evaluation.grid_sheet import grid_sheet
from PIL import Image

TILE = 32
SHAPES, APPEARANCES = ["red", "green"], ["blue", "white", "yellow"]
RESULTS = ["black", "gray", "pink", "brown", "cyan", "navy"]


def colored_tiles(colors: list[str]) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), color) for color in colors]


def test_each_result_stands_where_its_images_meet() -> None:
    sheet = grid_sheet(colored_tiles(SHAPES), colored_tiles(APPEARANCES), colored_tiles(RESULTS), TILE)
    rows = [["white", *APPEARANCES], [SHAPES[0], *RESULTS[:3]], [SHAPES[1], *RESULTS[3:]]]
    for row, colors in enumerate(rows):
        for column, color in enumerate(colors):
            position = column * (TILE + GAP) + TILE // 2, HEADING + row * (TILE + GAP) + TILE // 2
            assert sheet.getpixel(position) == Image.new("RGB", (1, 1), color).getpixel((0, 0))


def test_names_are_drawn() -> None:
    images = colored_tiles(SHAPES), colored_tiles(APPEARANCES), colored_tiles(RESULTS)
    plain, named = (grid_sheet(*images, TILE, names) for names in ((), ("fur", "tin", "x")))
    assert plain.size == named.size
    assert plain.crop((0, 0, plain.width, HEADING)).tobytes() != named.crop((0, 0, named.width, HEADING)).tobytes()


@pytest.mark.parametrize("names", [["fur"], ["fur", "fur", "tin"]])
def test_names_that_do_not_fit_are_refused(names) -> None:
    with pytest.raises(ValueError, match="3 appearances"):
        grid_sheet(colored_tiles(SHAPES), colored_tiles(APPEARANCES), colored_tiles(RESULTS), TILE, names)


def test_results_that_are_not_all_there_are_refused() -> None:
    with pytest.raises(ValueError, match="make 6 pairs, but there are 5 outputs"):
        grid_sheet(colored_tiles(SHAPES), colored_tiles(APPEARANCES), colored_tiles(RESULTS[:5]), TILE)
