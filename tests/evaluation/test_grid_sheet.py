"""A grid of transfers as one picture: every result where its two pictures meet."""

import pytest
from appearance_transfer.evaluation.comparison import GAP, HEADING
from appearance_transfer.evaluation.grid_sheet import grid_sheet
from PIL import Image

TILE = 32
SHAPES, LOOKS = ["red", "green"], ["blue", "white", "yellow"]
RESULTS = ["black", "grey", "pink", "brown", "cyan", "navy"]


def squares(colours: list[str]) -> list[Image.Image]:
    return [Image.new("RGB", (8, 8), colour) for colour in colours]


def test_each_result_stands_where_its_pictures_meet() -> None:
    sheet = grid_sheet(squares(SHAPES), squares(LOOKS), squares(RESULTS), TILE)
    rows = [["white", *LOOKS], [SHAPES[0], *RESULTS[:3]], [SHAPES[1], *RESULTS[3:]]]
    for row, colours in enumerate(rows):
        for column, colour in enumerate(colours):
            place = column * (TILE + GAP) + TILE // 2, HEADING + row * (TILE + GAP) + TILE // 2
            assert sheet.getpixel(place) == Image.new("RGB", (1, 1), colour).getpixel((0, 0))


def test_names_are_drawn() -> None:
    pictures = squares(SHAPES), squares(LOOKS), squares(RESULTS)
    plain, named = (grid_sheet(*pictures, TILE, names) for names in ((), ("fur", "tin", "x")))
    assert plain.size == named.size
    assert plain.crop((0, 0, plain.width, HEADING)).tobytes() != named.crop((0, 0, named.width, HEADING)).tobytes()


@pytest.mark.parametrize("names", [["fur"], ["fur", "fur", "tin"]])
def test_names_that_do_not_fit_are_refused(names) -> None:
    with pytest.raises(ValueError, match="3 appearances"):
        grid_sheet(squares(SHAPES), squares(LOOKS), squares(RESULTS), TILE, names)


def test_results_that_are_not_all_there_are_refused() -> None:
    with pytest.raises(ValueError, match="make 6 pairs, but there are 5 outputs"):
        grid_sheet(squares(SHAPES), squares(LOOKS), squares(RESULTS[:5]), TILE)
