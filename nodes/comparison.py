"""The node that puts images and their numbers side by side and keeps both."""

from comfy_api.latest import io, ui

from .evaluation import FAMILY

MOST_IMAGES, MOST_NUMBERS = 8, 16


class ComparisonGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..evaluation.comparison import TILE

        image = io.Image.Input("image", tooltip="A column of the grid; a batch gives it as many rows.")
        number = io.Float.Input("number", force_input=True, tooltip="A number of any node, named in the captions.")
        return io.Schema(
            node_id="AppearanceTransfer_ComparisonGrid",
            display_name="Comparison Grid",
            category=FAMILY,
            description="Puts images side by side with their names and numbers, and saves both, the numbers as CSV.",
            search_aliases=["contact sheet", "side by side", "compare images", "xy plot", "csv", "image grid"],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                io.Autogrow.Input(
                    "images",
                    template=io.Autogrow.TemplatePrefix(image, prefix="image", min=1, max=MOST_IMAGES),
                    tooltip="From left to right; a new input grows below the last one in use.",
                ),
                io.Autogrow.Input(
                    "numbers",
                    template=io.Autogrow.TemplatePrefix(number, prefix="number", min=0, max=MOST_NUMBERS),
                    tooltip="In the order in which the captions name them; none are needed.",
                ),
                io.String.Input(
                    "captions", default="structure\nappearance\noutput", multiline=True,
                    tooltip="A line per image: its name and, after bars, its numbers, such as output | PSNR | IoU.",
                ),
                io.Int.Input(
                    "tile", default=TILE, min=64, max=2048, step=8,
                    tooltip="Width and height in pixels that each image is fitted into.",
                ),
                io.String.Input(
                    "filename_prefix", default="comparison",
                    tooltip="Name of the files in the output folder; a number is added, and .png and .csv.",
                ),
            ],
            outputs=[
                io.Image.Output("grid", tooltip="What was saved."),
                io.String.Output("table", tooltip="The numbers as CSV: image, measure, value."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, images, captions, tile, filename_prefix, numbers=None) -> io.NodeOutput:
        from ..evaluation.comparison import as_table, read_captions
        from ..host.evaluation.comparison import as_sheet, check_prefix, write_csv

        check_prefix(filename_prefix)
        connected = [image for image in images.values() if image is not None]
        connected_numbers = [number for number in (numbers or {}).values() if number is not None]
        about = read_captions(captions, len(connected), connected_numbers)
        sheet, table = as_sheet(connected, about, tile), as_table(about)
        saved = ui.ImageSaveHelper.get_save_images_ui(sheet, filename_prefix, cls=cls)
        write_csv(saved.results[0], table)
        return io.NodeOutput(sheet, table, ui=saved)


NODES = [ComparisonGrid]
