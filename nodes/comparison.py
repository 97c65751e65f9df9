"""The node that puts pictures and their numbers side by side and keeps both."""

from comfy_api.latest import io, ui

from .evaluation import FAMILY

MOST_PICTURES, MOST_NUMBERS = 8, 16


class ComparisonGrid(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        picture = io.Image.Input("picture", tooltip="A column of the grid; a batch gives it as many rows.")
        number = io.Float.Input("number", force_input=True, tooltip="A number of any node, named in the captions.")
        return io.Schema(
            node_id="AppearanceTransfer_ComparisonGrid",
            display_name="Comparison Grid",
            category=FAMILY,
            description="Puts pictures side by side with their names and numbers, and saves both, the numbers as CSV.",
            search_aliases=["contact sheet", "side by side", "compare images", "xy plot", "csv", "image grid"],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                io.Autogrow.Input(
                    "pictures",
                    template=io.Autogrow.TemplatePrefix(picture, prefix="picture", min=1, max=MOST_PICTURES),
                    tooltip="From left to right; a new input grows below the last one in use.",
                ),
                io.Autogrow.Input(
                    "numbers",
                    template=io.Autogrow.TemplatePrefix(number, prefix="number", min=0, max=MOST_NUMBERS),
                    tooltip="In the order in which the captions name them; none are needed.",
                ),
                io.String.Input(
                    "captions", default="structure\nappearance\noutput", multiline=True,
                    tooltip="A line per picture: its name and, after bars, its numbers, such as output | PSNR | IoU.",
                ),
                io.Int.Input(
                    "tile", default=256, min=64, max=2048, step=8,
                    tooltip="Width and height in pixels that each picture is fitted into.",
                ),
                io.String.Input(
                    "filename_prefix", default="comparison",
                    tooltip="Name of the files in the output folder; a number is added, and .png and .csv.",
                ),
            ],
            outputs=[
                io.Image.Output("grid", tooltip="What was saved."),
                io.String.Output("table", tooltip="The numbers as CSV: picture, measure, value."),
            ],
        )  # fmt: skip

    @classmethod
    def execute(cls, pictures, captions, tile, filename_prefix, numbers=None) -> io.NodeOutput:
        from ..evaluation.comparison import as_table, read_captions
        from ..host.comparing import as_sheet, check_prefix, write_beside

        check_prefix(filename_prefix)
        images = [image for image in pictures.values() if image is not None]
        given = [number for number in (numbers or {}).values() if number is not None]
        about = read_captions(captions, len(images), given)
        sheet, table = as_sheet(images, about, tile), as_table(about)
        saved = ui.ImageSaveHelper.get_save_images_ui(sheet, filename_prefix, cls=cls)
        write_beside(saved.results[0], table)
        return io.NodeOutput(sheet, table, ui=saved)


NODES = [ComparisonGrid]
