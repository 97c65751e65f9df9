"""The evaluation nodes in the real ComfyUI: numbers, images, files, and what a user reads when something is wrong."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from appearance_transfer.developer.client import GraphError
from appearance_transfer.tests.evaluation.perceptual_weights import RANDOM_LPIPS, random_weights
from appearance_transfer.tests.host.clips import FakeClip, FakeVision, redness, small_vision
from PIL import Image
from safetensors.torch import save_file

OURS = "AppearanceTransfer_"


@pytest.fixture(scope="module")
def folder(host) -> Path:
    """models/lpips, with AlexNet in it, with and without the heads of LPIPS; empty again afterwards."""
    from appearance_transfer.host.evaluation.perceptual import lpips_path

    with pytest.raises(ValueError, match="put it there"):
        lpips_path(RANDOM_LPIPS)
    import folder_paths

    folder = Path(folder_paths.models_dir) / "lpips"
    folder.mkdir(parents=True, exist_ok=True)
    weights = random_weights("alexnet")
    files = {
        RANDOM_LPIPS: weights,
        "alone.safetensors": {name: tensor for name, tensor in weights.items() if "lin" not in name},
        "foreign.safetensors": {"x": torch.zeros(1)},
    }
    for name, state in files.items():
        save_file(state, folder / name)
    (folder / "half.safetensors").write_bytes((folder / RANDOM_LPIPS).read_bytes()[:1000])
    yield folder
    for path in folder.iterdir():
        path.unlink()


def run(host, node: str, *arguments, **options):
    """What a node hands on, run as ComfyUI runs it."""
    with torch.inference_mode():
        return host.nodes[OURS + node].execute(*arguments, **options).args


def image(height: int = 48, width: int = 64, images: int = 1, seed: int = 0, channels: int = 3) -> torch.Tensor:
    """An IMAGE, smooth enough to have a structure."""
    coarse = torch.rand(images, channels, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear").movedim(1, -1)


def square(images: int = 1, side: int = 24) -> torch.Tensor:
    """A MASK of images as above, with a square in a corner."""
    mask = torch.zeros(images, 48, 64)
    mask[:, :side, :side] = 1
    return mask


def test_mask_iou(host) -> None:
    output = torch.cat([square(), square(side=12), square(side=0)])
    iou, report, difference = run(host, "MaskIoU", output, square())
    assert iou == pytest.approx((1 + 0.25 + 0) / 3)
    assert report.splitlines()[1:] == [
        "image 0: 1.0000", "image 1: 0.2500", "image 2: 0.0000 (the output mask is empty)"
    ]  # fmt: skip
    assert difference.shape == (3, 48, 64, 3)
    assert run(host, "MaskIoU", 0 * square(), 0 * square())[:2] == (
        1, "IoU of masks cut at one half\nimage 0: 1.0000 (both masks are empty)"
    )  # fmt: skip
    with pytest.raises(ValueError, match="The output has 64 x 48 pixels and the structure mask 8 x 6"):
        run(host, "MaskIoU", square(), torch.ones(1, 6, 8))
    with pytest.raises(ValueError, match="3 outputs and 2 structure masks; compare as many with as many"):
        run(host, "MaskIoU", output, square(2))


def test_small_masks_are_shown_large(host) -> None:
    """The page enlarges nothing; what goes on along the wire keeps its size."""
    import folder_paths

    with torch.inference_mode():
        output = host.nodes[OURS + "MaskIoU"].execute(torch.ones(1, 16, 16), torch.eye(16)[None])
    assert output.args[2].shape == (1, 16, 16, 3)
    (preview,) = output.ui["images"]
    pixels = np.asarray(Image.open(Path(folder_paths.get_temp_directory(), preview["subfolder"], preview["filename"])))
    assert pixels.shape[:2] == (256, 256)
    assert np.array_equal(pixels[::16, ::16], pixels[15::16, 15::16])


def test_reconstruction_quality(host) -> None:
    from appearance_transfer.evaluation.structural_similarity import ssim
    from appearance_transfer.inversion.quality import psnr

    original = image(channels=4)
    output = torch.cat([original * 0.9, original * 0.8])
    found_psnr, found_ssim, report, positions = run(host, "ReconstructionQuality", output, original)
    pair = [images[..., :3].movedim(-1, 1) for images in (output, original.expand(2, -1, -1, -1))]
    assert found_psnr == pytest.approx(psnr(*pair).mean().item())
    assert found_ssim == pytest.approx(ssim(*pair).mean().item())
    assert len(report.splitlines()) == 6
    assert positions.shape == (2, 48, 64, 3)
    assert run(host, "ReconstructionQuality", original, original)[:2] == (float("inf"), pytest.approx(1))
    for wrong, sentence in ((image(32), "pixels and the original 64 x 32"), (image(images=3), "and 3 originals")):
        with pytest.raises(ValueError, match=sentence):
            run(host, "ReconstructionQuality", output, wrong)


def test_color_histogram_distance(host) -> None:
    red, blue = (torch.tensor(color).expand(1, 48, 64, 3) for color in ((0.8, 0.2, 0.2), (0.2, 0.2, 0.8)))
    both = torch.where(square()[..., None] > 0, red, blue)
    distance, report, histograms = run(host, "ColorHistogramDistance", torch.cat([red, blue]), red)
    values = [float(line.split(": ")[1]) for line in report.splitlines()[1:]]
    assert values[0] < 1e-4
    assert values[1] > 0.5
    assert distance == pytest.approx(sum(values) / 2, abs=1e-4)
    assert histograms.shape == (2, 256, 512, 3)
    masked = run(host, "ColorHistogramDistance", both, image(20, 20) * 0 + red[:, :20, :20], square())
    assert masked[0] < 1e-3
    with pytest.raises(ValueError, match="no colors to count"):
        run(host, "ColorHistogramDistance", both, red, 0 * square())


class TestPerceptual:
    def test_a_file_serves_both_measures(self, host, folder) -> None:
        from appearance_transfer.evaluation.gram import gram_distance
        from appearance_transfer.evaluation.perceptual import load_lpips

        (network,) = run(host, "LoadPerceptualNetwork", RANDOM_LPIPS)
        output, structure = image(images=2), image(seed=1)
        lpips, report, positions = run(host, "BackgroundLPIPS", network, output, structure)
        distance = load_lpips(random_weights("alexnet"))
        mine, expected = (images.movedim(-1, 1) for images in (output, structure.expand(2, -1, -1, -1)))
        assert lpips == pytest.approx(distance(mine * 2 - 1, expected * 2 - 1).mean().item(), rel=1e-4)
        assert report.splitlines()[0] == f"LPIPS by AlexNet of {RANDOM_LPIPS}, of the whole image"
        assert positions.shape == (2, 48, 64, 3)
        gram, report = run(host, "GramDistance", network, output, structure)
        assert gram == pytest.approx(gram_distance(distance.backbone, mine, expected).mean().item(), rel=1e-4)
        assert f"AlexNet of {RANDOM_LPIPS}" in report
        assert run(host, "GramDistance", network, output, output)[0] == 0

    def test_only_the_background_counts(self, host, folder) -> None:
        (network,) = run(host, "LoadPerceptualNetwork", RANDOM_LPIPS)
        structure = image()
        output = torch.where(square()[..., None] > 0, image(seed=1), structure)
        assert run(host, "BackgroundLPIPS", network, output, structure, square())[0] == 0
        assert run(host, "BackgroundLPIPS", network, output, structure)[0] > 0
        _, report, _ = run(host, "BackgroundLPIPS", network, output, structure, 0 * square())
        assert report.splitlines()[1].endswith("(the mask is empty)")
        for wrong, sentence in (
            ({"structure": image(32)}, "The output has 64 x 48 pixels and the structure image 64 x 32"),
            ({"mask": square() * 0 + 1}, "there is no background"),
            ({"mask": square(3)}, "mask holds 3 masks and output 1 image"),
        ):
            with pytest.raises(ValueError, match=sentence):
                run(host, "BackgroundLPIPS", network, output, **{"structure": structure, "mask": square()} | wrong)

    def test_a_network_alone_is_enough_for_gram_matrices(self, host, folder) -> None:
        (alone,), (whole,) = (run(host, "LoadPerceptualNetwork", name) for name in ("alone.safetensors", RANDOM_LPIPS))
        images = image(), image(40, 40, seed=1)
        assert run(host, "GramDistance", alone, *images)[0] == run(host, "GramDistance", whole, *images)[0]
        with pytest.raises(ValueError, match="'alone.safetensors' holds AlexNet without the heads of LPIPS"):
            run(host, "BackgroundLPIPS", alone, image(), image())
        with pytest.raises(ValueError, match="30 x 30 pixels is too small for AlexNet"):
            run(host, "GramDistance", alone, image(30, 30), image())

    def test_files_that_cannot_be_used(self, host, folder) -> None:
        node = host.nodes[OURS + "LoadPerceptualNetwork"]
        assert node.validate_inputs(RANDOM_LPIPS) is True
        assert "There is no file 'gone.safetensors' in the folder models/lpips" in node.validate_inputs(
            "gone.safetensors"
        )
        with pytest.raises(ValueError, match="'foreign.safetensors' cannot be used. These are no weights of LPIPS"):
            run(host, "LoadPerceptualNetwork", "foreign.safetensors")
        with pytest.raises(ValueError, match="'half.safetensors' cannot be used"):
            run(host, "LoadPerceptualNetwork", "half.safetensors")


class TestClip:
    def test_images_with_images(self, host) -> None:
        vision, images = small_vision(), image(images=3)
        similarity, report = run(host, "CLIPImageSimilarity", vision, images, images)
        assert similarity == pytest.approx(1, abs=1e-5)
        assert len(report.splitlines()) == 4
        with torch.inference_mode():
            one, other = (vision.encode_image(p).image_embeds.numpy()[0] for p in (images[:1], images[1:2]))
        expected = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        found, _ = run(host, "CLIPImageSimilarity", vision, images[:1], images[1:2])
        assert found == pytest.approx(expected, abs=1e-6)

    def test_a_mask_shows_the_object_alone(self, host) -> None:
        vision, red = small_vision(), torch.tensor([0.8, 0.2, 0.2])
        one, other = (torch.where(square()[..., None] > 0, red, image(seed=seed)) for seed in (0, 1))
        whole, _ = run(host, "CLIPImageSimilarity", vision, one, other)
        masked, _ = run(host, "CLIPImageSimilarity", vision, one, other, square(), square())
        assert masked == pytest.approx(1, abs=1e-5)
        assert whole < masked
        with pytest.raises(ValueError, match="no object to look at"):
            run(host, "CLIPImageSimilarity", vision, one, other, 0 * square())

    def test_images_with_a_text(self, host) -> None:
        images = image(images=4)
        similarity, report = run(host, "CLIPTextSimilarity", FakeVision(), FakeClip(), images, " red ")
        assert similarity == pytest.approx(redness(images).mean().item())
        assert report.startswith("cosine to CLIP of images and 'red'")

    def test_accuracy(self, host) -> None:
        images = image(images=6)
        accuracy, report = run(host, "CLIPAcc", FakeVision(), FakeClip(), images, "not red", "red")
        red = redness(images)
        assert accuracy == pytest.approx((red > (1 - red**2).sqrt()).float().mean().item())
        assert 0 < accuracy < 1
        assert f"(target {red[0]:.4f}, source {(1 - red[0] ** 2).sqrt():.4f})" in report.splitlines()[1]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"clip": FakeClip()}, "no text to compare images with"),
            ({"clip": FakeClip(4), "text": "red"}, "gives 2 numbers per image and the CLIP 4"),
            ({"clip": FakeClip(2, torch.eye(2)), "text": "red"}, "its file has no text projection"),
        ],
    )
    def test_bad_input_with_a_text(self, host, options, sentence) -> None:
        with pytest.raises(ValueError, match=sentence):
            run(host, "CLIPTextSimilarity", FakeVision(), output=image(), **{"text": ""} | options)

    def test_another_number_of_appearance_images(self, host) -> None:
        with pytest.raises(ValueError, match="There are 1 outputs and 2 appearance images"):
            run(host, "CLIPImageSimilarity", FakeVision(), image(), image(images=2))


class TestComparisonGrid:
    def graph(self, **inputs) -> dict:
        scene = {"seed": 2, "size": 64, **dict.fromkeys(("species", "coat", "view"), "any")}
        nodes = {
            "one": {"class_type": OURS + "PocketScene", "inputs": scene},
            "other": {"class_type": OURS + "PocketScene", "inputs": scene | {"seed": 7}},
            "two": {"class_type": "ImageBatch", "inputs": {"image1": ["one", 0], "image2": ["other", 0]}},
        }
        nodes["quality"] = {
            "class_type": OURS + "ReconstructionQuality",
            "inputs": {"output": ["two", 0], "original": ["one", 0]},
        }
        settings = {"captions": "one\nboth | SSIM", "tile": 64, "filename_prefix": "sheets/compared"}
        links = {"images.image0": ["one", 0], "images.image1": ["two", 0], "numbers.number0": ["quality", 1]}
        return nodes | {"compare": {"class_type": OURS + "ComparisonGrid", "inputs": settings | links | inputs}}

    def test_image_and_table_are_kept_together(self, host) -> None:
        import folder_paths

        run = host.run(self.graph(), sheet=("compare", 0), table=("compare", 1), ssim=("quality", 1))
        assert run.sheet.shape[-1] == 3
        assert run.sheet.shape[1] > 2 * 64
        (saved,) = run.outcome.outputs["compare"]["images"]
        path = Path(folder_paths.get_output_directory()) / saved["subfolder"] / saved["filename"]
        kept = np.asarray(Image.open(path))
        np.testing.assert_allclose(kept / 255, run.sheet[0].numpy(), atol=1 / 255)
        text = path.with_suffix(".csv").read_text()
        assert text == run.table
        assert list(csv.reader(io.StringIO(text)))[1:] == [["both", "SSIM", str(run.ssim)]]
        again = host.run(self.graph(tile=128), sheet=("compare", 0)).outcome.outputs["compare"]["images"]
        assert again[0]["filename"] != saved["filename"]
        assert sorted(p.suffix for p in path.parent.iterdir()) == [".csv", ".csv", ".png", ".png"]

    @pytest.mark.parametrize(
        ("inputs", "sentence"),
        [
            ({"captions": "one"}, "There are 2 images and 1 captions"),
            ({"captions": "one\nboth"}, "name 0 numbers and 1 are connected"),
        ],
    )
    def test_captions_that_do_not_fit(self, host, inputs, sentence) -> None:
        with pytest.raises(GraphError, match=sentence) as error:
            host.run(self.graph(**inputs))
        assert error.value.node == "compare"

    def test_batches_that_do_not_fit(self, host) -> None:
        images = {"image0": image(images=2), "image1": image(images=3)}
        with pytest.raises(ValueError, match="'a' has 2 images where others have 3"):
            run(host, "ComparisonGrid", images, "a\nb", 64, "x")
