"""The sheet of a comparison, pixel by pixel, and its captions and table."""

import csv
import io

import pytest
from appearance_transfer.evaluation.comparison import (
    GAP,
    HEADING,
    LINE,
    Caption,
    as_table,
    comparison_sheet,
    read_captions,
)
from PIL import Image

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
CAPTIONS = "structure\n\n output | PSNR dB|IoU "


def test_images_are_fitted_into_their_tiles() -> None:
    """A small one is enlarged, a large one shrunk, both with their shape."""
    small, wide = Image.new("RGB", (8, 8), RED), Image.new("RGB", (64, 32), BLUE)
    sheet = comparison_sheet({"a": [small, small], "b": [wide, wide]}, (16, 16), [[], ["IoU 1"]])
    assert sheet.size == (2 * (16 + GAP), HEADING + 2 * (16 + GAP) + LINE)
    for row in range(2):
        top, left = HEADING + row * (16 + GAP), 16 + GAP
        assert sheet.getpixel((0, top)) == sheet.getpixel((15, top + 15)) == RED
        assert sheet.getpixel((left, top + 4)) == sheet.getpixel((left + 15, top + 11)) == BLUE
        assert sheet.getpixel((left, top + 3)) == sheet.getpixel((left, top + 12)) == WHITE


def test_names_stand_above_and_numbers_below() -> None:
    image = Image.new("RGB", (64, 64), WHITE)
    sheet = comparison_sheet({"a": [image], "b": [image]}, (64, 64), [[], ["IoU 1"]]).convert("L")
    above, below = (0, 0, 64, HEADING), (64 + GAP, HEADING + 64 + GAP, 128 + GAP, HEADING + 64 + GAP + LINE)
    assert sheet.crop(above).getextrema()[0] < 128
    assert sheet.crop(below).getextrema()[0] < 128
    assert sheet.crop((0, HEADING, 64, sheet.height)).getextrema() == (255, 255)


def test_a_long_name_stays_over_its_own_image_and_is_not_cut_off() -> None:
    """Five lines on a tile of 64 pixels; nothing is drawn beside the tile, or on the image."""
    name = "an elephant that was painted, with the pattern of a zebra"
    gray, other = Image.new("RGB", (64, 64), (128, 128, 128)), Image.new("RGB", (64, 64), WHITE)
    sheet = comparison_sheet({"": [other], name: [gray], " ": [other]}, (64, 64)).convert("L")
    heading = sheet.height - 64 - GAP
    assert heading > HEADING
    dark = sheet.crop((0, 0, sheet.width, heading)).point(lambda value: 255 * (value < 200)).getbbox()
    left, top, right, bottom = dark
    assert 64 + GAP <= left < right <= 128 + GAP
    assert 0 < top < LINE and heading - LINE < bottom < heading
    assert sheet.crop((64 + GAP, heading, 128 + GAP, sheet.height - GAP)).getextrema() == (128, 128)


def test_captions_name_the_numbers_in_their_order() -> None:
    captions = read_captions(CAPTIONS, 2, [23.456789, 0.5])
    assert captions == [Caption("structure"), Caption("output", {"PSNR dB": 23.456789, "IoU": 0.5})]
    assert captions[1].lines() == ["PSNR dB 23.46", "IoU 0.5"]
    table = list(csv.reader(io.StringIO(as_table(captions))))
    assert table == [["image", "measure", "value"], ["output", "PSNR dB", "23.456789"], ["output", "IoU", "0.5"]]


@pytest.mark.parametrize(
    ("text", "numbers", "complaint"),
    [
        (CAPTIONS, [1.0], "name 2 numbers and 1 are connected"),
        ("output | PSNR | IoU", [1.0, 2.0], "2 images and 1 captions"),
        ("output\noutput", [], "stands twice among output, output"),
        ("a\noutput | IoU | IoU", [1.0, 2.0], "stands twice among IoU, IoU"),
    ],
    ids=["too few numbers", "too few lines", "one name for two", "one measure for two"],
)
def test_captions_that_do_not_fit(text, numbers, complaint) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_captions(text, 2, numbers)
