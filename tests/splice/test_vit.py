"""The ViT against the reference code's tensors, its positions against what each family defines, and bad weights."""

import pytest
import torch
import torch.nn.functional as F
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from appearance_transfer.tests.splice.vits import golden_vit, random_images, random_weights
from appearance_transfer.vit.preprocess import vit_input, vit_size
from appearance_transfer.vit.self_similarity import self_similarity
from appearance_transfer.vit.vit import load_vit

IMAGES = "abcde"  # 224x224, 300x200, 512x700, 100x300, 64x250


def reference(name: str) -> torch.Tensor:
    return golden("splice_A1_features", name, SPLICE_AND_PIX2PIX_ZERO)


def close(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


class TestAgainstTheReferenceCode:
    @pytest.fixture(scope="class", params=IMAGES)
    def seen(self, request):
        """Name of the image, what goes into the ViT, and what it looks like at the last block."""
        vit = golden_vit()
        with torch.inference_mode():
            inputs = vit_input(reference(f"{request.param}.image_u8")[None].float() / 255)
            return request.param, inputs, vit.forward_features(inputs), vit(inputs)

    def test_preprocessing(self, seen) -> None:
        name, inputs, _, _ = seen
        assert list(inputs.shape) == reference(f"{name}.preprocessed_shape").tolist()
        close(inputs[0, :, ::3, ::3], reference(f"{name}.preprocessed_every3"), 1e-5)

    def test_keys_and_cls(self, seen) -> None:
        name, _, vit_output, output = seen
        close(vit_output.keys[0], reference(f"{name}.keys_heads").transpose(0, 1).flatten(1), 5e-5)
        close(vit_output.cls[0], reference(f"{name}.cls_pre_norm"), 5e-5)
        close(output[0], reference(f"{name}.cls_post_norm"), 5e-5)
        assert not torch.allclose(output, vit_output.cls, atol=0.1)

    def test_all_tokens(self) -> None:
        with torch.inference_mode():
            vit_output = golden_vit().forward_features(vit_input(reference("a.image_u8")[None].float() / 255))
        assert vit_output.keys.shape[1] == 785
        close(vit_output.tokens[0], reference("a.block_output"), 5e-5)
        close(vit_output.keys[0], reference("a.keys_concat"), 5e-5)

    def test_self_similarity(self, seen) -> None:
        name, _, vit_output, _ = seen
        found = self_similarity(vit_output.keys)[0]
        close(found[:: 8 if name == "a" else 32], reference(f"{name}.self_similarity_rows"), 1e-5)
        close(found.mean(1), reference(f"{name}.self_similarity_rowmean"), 1e-5)
        close(torch.stack([found.mean(), found.std()]), reference(f"{name}.self_similarity_mean_std"), 1e-5)
        close(found.diagonal(), torch.ones(len(found)), 1e-5)

    def test_antialiasing_is_off(self, seen) -> None:
        """It would show: the golden set says by how much."""
        name, inputs, _, _ = seen
        with_it = vit_input(reference(f"{name}.image_u8")[None].float() / 255, antialias=True)
        close((with_it - inputs).abs().amax()[None], reference(f"{name}.antialias_on_max_abs_diff"), 1e-4)


@pytest.mark.parametrize(
    ("size", "seen"),
    [((600, 600), (224, 224)), ((300, 200), (336, 224)), ((512, 2000), (122, 480)), ((1000, 2200), (218, 480))],
)
def test_sizes_of_the_method_specification(size, seen) -> None:
    assert vit_size(*size) == seen
    assert vit_size(size[1], size[0]) == seen[::-1]


def test_whole_patches() -> None:
    assert vit_input(random_images(30, 47), patch=14).shape[-2:] == (224, 350)  # 350.93 without
    with pytest.raises(ValueError, match="too narrow"):
        vit_size(10, 200_000)


class TestForwardFeatures:
    def test_any_block_is_a_shorter_network(self) -> None:
        weights = random_weights(depth=3)
        shorter = {name: tensor for name, tensor in weights.items() if not name.startswith("blocks.2")}
        images = random_images(32, 40, 2)
        first, second = load_vit(weights).forward_features(images, 1), load_vit(shorter).forward_features(images)
        for part in ("tokens", "queries", "keys", "values"):
            assert torch.equal(getattr(first, part), getattr(second, part))
        assert torch.equal(load_vit(weights).forward_features(images, -2).tokens, first.tokens)

    def test_keys_are_the_middle_third_of_the_qkv_layer(self) -> None:
        vit = load_vit(random_weights(depth=1))
        received = []
        handle = vit.blocks[0].attn.qkv.register_forward_hook(lambda *call: received.append(call[2]))
        vit_output = vit.forward_features(random_images(32, 32))
        handle.remove()
        assert torch.equal(torch.cat([vit_output.queries, vit_output.keys, vit_output.values], dim=2), received[0])

    def test_a_batch_is_its_images(self) -> None:
        vit, images = load_vit(random_weights()).double(), random_images(24, 40, 3).double()
        together = vit.forward_features(images).keys
        alone = torch.cat([vit.forward_features(image[None]).keys for image in images])
        torch.testing.assert_close(together, alone, atol=1e-12, rtol=0)

    def test_patches_are_where_they_were(self) -> None:
        """With all else silent, the value of a patch is its own color, at its own position, past the registers."""
        weights = {name: torch.zeros_like(t) for name, t in random_weights(depth=1, registers=3).items()}
        weights["patch_embed.proj.weight"][0, 0] = 1 / 64
        vit_output = load_vit(weights).forward_features(images := random_images(32, 48))
        red = F.avg_pool2d(images[:, :1], 8)
        assert vit_output.grid == (4, 6)
        torch.testing.assert_close(vit_output.on_grid(vit_output.tokens)[:, :1], red)

    def test_precision_is_that_of_the_weights(self) -> None:
        weights = random_weights(layer_scale=True, registers=2)
        for dtype in (torch.float64, torch.bfloat16):
            vit = load_vit({name: tensor.to(dtype) for name, tensor in weights.items()})
            assert vit.forward_features(random_images(24, 40)).tokens.dtype == dtype

    def test_checkpointing_changes_no_gradient(self) -> None:
        vit, gradients = load_vit(random_weights()), []
        for checkpointed in (False, True):
            images = random_images(24, 40).requires_grad_(True)
            vit.forward_features(images, checkpointed=checkpointed).keys.square().sum().backward()
            gradients.append(images.grad)
        torch.testing.assert_close(*gradients)
        assert gradients[0].abs().max() > 0

    def test_what_is_not_there_is_refused(self) -> None:
        vit = load_vit(random_weights())
        with pytest.raises(ValueError, match="choose 0 to 1"):
            vit.forward_features(random_images(32, 32), 2)
        with pytest.raises(ValueError, match="smaller than one patch"):
            vit.forward_features(random_images(32, 7))


def sampling_weights(patches: int, side: int) -> torch.Tensor:
    """[patches, side]: cubic interpolation (Keys 1981, a = -0.75) where DINO's 0.1 patches more put the samples."""
    positions = (torch.arange(patches) + 0.5) * side / (patches + 0.1) - 0.5
    away = (positions[:, None] - torch.arange(side)).abs()
    near = 1.25 * away**3 - 2.25 * away**2 + 1
    far = -0.75 * (away**3 - 5 * away**2 + 8 * away - 4)
    return torch.where(away <= 1, near, torch.where(away < 2, far, 0.0))


class TestPositions:
    """Read as tokens of a network whose every other part is silent."""

    def positions(self, height, width, **sizes) -> tuple[torch.Tensor, torch.Tensor]:
        """The learned positions [1, D, 4, 4], and those of an image of this size [1, D, h, w]."""
        weights = {name: torch.zeros_like(tensor) for name, tensor in random_weights(depth=1, **sizes).items()}
        learned = random_weights(depth=1, **sizes)["pos_embed"]
        vit_output = load_vit(weights | {"pos_embed": learned}).forward_features(random_images(height, width))
        assert torch.equal(vit_output.cls, learned[:, 0])
        if vit_output.registers:
            assert not vit_output.tokens[:, 1 : 1 + vit_output.registers].any()
        return learned[:, 1:].mT.unflatten(2, (4, 4)), vit_output.on_grid(vit_output.tokens)

    @pytest.mark.parametrize("registers", [0, 4])
    def test_the_image_of_training_gets_what_was_learned(self, registers) -> None:
        learned, found = self.positions(32, 32, registers=registers)
        assert torch.equal(found, learned)

    @pytest.mark.parametrize("layer_scale", [False, True])
    def test_dino_and_dinov2_sample_a_grid_of_a_tenth_more(self, layer_scale) -> None:
        """By the cubic kernel itself, away from the border."""
        learned, found = self.positions(64, 160, layer_scale=layer_scale)
        rows, columns = (sampling_weights(number, 4) for number in (8, 20))
        expected = rows @ learned @ columns.T
        torch.testing.assert_close(found[..., 3:5, 8:13], expected[..., 3:5, 8:13], atol=1e-5, rtol=0)

    def test_with_registers_the_grid_is_exact_and_antialiased(self) -> None:
        learned, found = self.positions(16, 48, registers=4)
        torch.testing.assert_close(found, F.interpolate(learned, size=(2, 6), mode="bicubic", antialias=True))

    def test_registers_are_seen_but_have_no_position(self) -> None:
        weights = random_weights(registers=4)
        vit_output = load_vit(weights).forward_features(random_images(32, 40))
        assert vit_output.tokens.shape[1] == 1 + 4 + 20
        other = load_vit(weights | {"register_tokens": -weights["register_tokens"]}).forward_features(
            random_images(32, 40)
        )
        assert (other.tokens - vit_output.tokens)[:, 5:].abs().max() > 1e-3


class TestBadWeights:
    def test_another_architecture(self) -> None:
        with pytest.raises(ValueError, match="no DINO ViT: their tensors are conv1.weight"):
            load_vit({"conv1.weight": torch.zeros(1)})
        with pytest.raises(ValueError, match="SwiGLU"):
            load_vit(random_weights() | {"blocks.0.mlp.w12.weight": torch.zeros(1)})

    def test_positions_that_make_no_square(self) -> None:
        with pytest.raises(ValueError, match="15 positions do not make a square"):
            load_vit(random_weights() | {"pos_embed": torch.zeros(1, 16, 128)})

    def test_a_width_that_no_head_divides(self) -> None:
        with pytest.raises(ValueError, match="width 128 cannot be split into 3 heads"):
            load_vit(random_weights(), heads=3)
        with pytest.raises(ValueError, match="width 48 cannot be split into 0 heads"):
            load_vit(random_weights(width=48, heads=3))

    def test_missing_and_further_tensors_are_named(self) -> None:
        weights = random_weights()
        with pytest.raises(ValueError, match=r"also hold head\.weight\."):
            load_vit(weights | {"head.weight": torch.zeros(1)})
        del weights["blocks.1.mlp.fc2.bias"]
        with pytest.raises(ValueError, match=r"lack blocks\.1\.mlp\.fc2\.bias\."):
            load_vit(weights)
        for name in [name for name in weights if name.startswith("blocks.0")]:
            weights[f"blocks.2{name[8:]}"] = weights[name]
        del weights["blocks.2.attn.qkv.weight"]
        with pytest.raises(ValueError, match=r"lack blocks\.1\.mlp\.fc2\.bias, blocks\.2\.attn\.qkv\.weight\."):
            load_vit(weights)

    def test_shapes_types_and_numbers(self) -> None:
        weights = random_weights()
        with pytest.raises(ValueError, match=r"another shape or type in norm\.bias \[3\] torch\.float32\."):
            load_vit(weights | {"norm.bias": torch.zeros(3)})
        with pytest.raises(ValueError, match=r"norm\.bias \[128\] torch\.int8"):
            load_vit(weights | {"norm.bias": torch.zeros(128, dtype=torch.int8)})
        with pytest.raises(ValueError, match=r"NaN or infinite numbers in norm\.bias"):
            load_vit(weights | {"norm.bias": torch.full((128,), torch.nan)})

    def test_the_token_of_masked_training_is_no_matter(self) -> None:
        load_vit(random_weights() | {"mask_token": torch.zeros(1, 128)})
