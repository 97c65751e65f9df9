"""PCA images, structure distance and feature inversion against the reference code's tensors."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from appearance_transfer.evaluation.structure_distance import structure_distance
from appearance_transfer.splice.feature_inversion import FeatureInversion, inversion_network, network_inputs
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden, near
from appearance_transfer.tests.splice.vits import golden_vit, random_images, random_weights
from appearance_transfer.vit.preprocess import normalize_imagenet, pillow_resized
from appearance_transfer.vit.principal_components import principal_components, self_similarity_image
from appearance_transfer.vit.self_similarity import self_similarity
from appearance_transfer.vit.vit import load_vit


def reference(file: str, name: str) -> torch.Tensor:
    return golden(f"splice_{file}", name, SPLICE_AND_PIX2PIX_ZERO)


def image(file: str, name: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return reference(file, name)[None].to(dtype) / 255


class TestStructureDistance:
    FILE = "A5_structure_distance"

    @pytest.mark.parametrize("pair", range(3))
    @pytest.mark.parametrize(
        ("resizing", "value"), [("pillow", "structure_distance"), ("tensor", "no_antialias_value")]
    )
    def test_it_is_that_of_the_released_code(self, pair, resizing, value) -> None:
        x, y = (image(self.FILE, f"pair{pair}.{side}_u8") for side in "xy")
        with torch.inference_mode():
            found = structure_distance(golden_vit(), x, y, resizing=resizing)
            swapped = structure_distance(golden_vit(), y, x, resizing=resizing)
        torch.testing.assert_close(found, reference(self.FILE, f"pair{pair}.{value}").float(), rtol=1e-5, atol=0)
        torch.testing.assert_close(swapped, found)

    def test_the_mean_over_pairs(self) -> None:
        with torch.inference_mode():
            found = [
                float(structure_distance(golden_vit(), *(image(self.FILE, f"pair{i}.{side}_u8") for side in "xy")))
                for i in range(3)
            ]
        assert np.mean(found) == pytest.approx(float(reference(self.FILE, "mean")), rel=1e-5)

    def test_pillow_resizing(self) -> None:
        found = normalize_imagenet(pillow_resized(image(self.FILE, "pair2.x_u8")))
        expected = reference(self.FILE, "pair2.x_preprocessed_every3")
        torch.testing.assert_close(found[0, :, ::3, ::3], expected, atol=1e-5, rtol=0)

    def test_one_structure_serves_all_and_itself_is_at_no_distance(self) -> None:
        vit, images = load_vit(random_weights()), random_images(64, 80, 2)
        assert structure_distance(vit, images, images).tolist() == [0, 0]
        assert structure_distance(vit, images, images[:1])[0] == 0 < structure_distance(vit, images, images[:1])[1]

    def test_what_cannot_be_compared_is_refused(self) -> None:
        vit = load_vit(random_weights())
        with pytest.raises(ValueError, match="their shapes differ"):
            structure_distance(vit, random_images(64, 80), random_images(80, 64))
        with pytest.raises(ValueError, match="3 outputs and 2 structure images"):
            structure_distance(vit, random_images(64, 64, 3), random_images(64, 64, 2))


class TestPrincipalComponents:
    FILE = "A6_pca"

    @pytest.fixture(scope="class")
    def vit_output(self):
        with torch.inference_mode():
            return golden_vit().forward_features(normalize_imagenet(pillow_resized(image(self.FILE, "image_u8"))))

    def test_they_are_those_of_scikit_learn(self, vit_output) -> None:
        found = principal_components(self_similarity(vit_output.keys)[0])
        torch.testing.assert_close(found.axes.float(), reference(self.FILE, "components"), atol=1e-5, rtol=0)
        torch.testing.assert_close(found.projected.float(), reference(self.FILE, "projected"), atol=1e-3, rtol=0)
        torch.testing.assert_close(found.variance, reference(self.FILE, "explained_variance"), rtol=1e-4, atol=0)

    def test_the_image(self, vit_output) -> None:
        """A level of 255 may tip over where a value is cut off."""
        found = self_similarity_image(vit_output, patch=8)[0].permute(2, 0, 1).int()
        expected = reference(self.FILE, "pca_image_u8").int()
        assert found.shape == expected.shape
        assert (found - expected).abs().max() <= 1
        assert (found != expected).float().mean() < 0.01

    def test_axes_are_orthonormal_and_keep_the_variance(self) -> None:
        rows = torch.randn(40, 12, generator=torch.Generator().manual_seed(0)).double()
        found = principal_components(rows, 12)
        torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(12).double())
        torch.testing.assert_close(found.variance.sum(), rows.var(dim=0).sum())
        torch.testing.assert_close(found.projected @ found.axes + rows.mean(0), rows)
        assert (found.variance.diff() <= 0).all()

    def test_too_few_rows_are_refused(self) -> None:
        with pytest.raises(ValueError, match="3 principal components"):
            principal_components(torch.eye(3))

    def test_an_image_that_is_alike_everywhere_is_black(self) -> None:
        weights = {name: torch.zeros_like(tensor) for name, tensor in random_weights().items()}
        vit_output = load_vit(weights | {"blocks.1.attn.qkv.bias": torch.ones(384)}).forward_features(
            random_images(32, 40)
        )
        assert self_similarity_image(vit_output, patch=8).unique().tolist() == [0]


class TestFeatureInversion:
    """In fp32 the first step only: two runs of the reference code on 1 and 2 threads differ by 12 % after it."""

    FILE = "A7_inversion"

    def network(self, dtype: torch.dtype):
        """The network with the weights that the golden set describes."""
        random = np.random.RandomState(int(reference(self.FILE, "weight_seed")))
        order = json.loads((SPLICE_AND_PIX2PIX_ZERO / "splice_A7_weight_order.json").read_text())
        drawn = []
        for name, shape in order:
            bound = bound if name.endswith("bias") else 1 / np.sqrt(np.prod(shape[1:]))  # noqa: F821
            drawn.append(torch.from_numpy(random.uniform(-bound, bound, shape).astype(np.float32)))
        torch.testing.assert_close(torch.stack([w.double().sum() for w in drawn]), reference(self.FILE, "weight_sums"))
        network = inversion_network(0).to(dtype)
        convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
        parameters = [parameter for module in convolutions for parameter in (module.weight, module.bias)]
        with torch.no_grad():
            for parameter, weight in zip(parameters, drawn, strict=True):
                parameter.copy_(weight)
        return network

    def inputs(self, feature: str, steps: int, dtype: torch.dtype):
        random = np.random.RandomState(int(reference(self.FILE, f"{feature}.noise_seed")))

        def draw() -> torch.Tensor:
            return torch.from_numpy(random.standard_normal((1, 32, 224, 224)).astype(np.float32)).to(dtype)

        fixed = draw()
        for _ in range(steps):
            yield fixed + 10 * draw() if feature == "CLS" else fixed

    def test_size_of_the_network(self) -> None:
        count = sum(parameter.numel() for parameter in inversion_network(0).parameters())
        assert count == 2_606_763

    @pytest.mark.parametrize("feature", ["CLS", "keys"])
    def test_first_step_in_fp32(self, feature) -> None:
        inversion = FeatureInversion(self.network(torch.float32), golden_vit(), image(self.FILE, "image_u8"), feature)
        target = reference(self.FILE, f"{feature}.target")
        target = target.transpose(0, 1).flatten(1) if feature == "keys" else target[0]
        torch.testing.assert_close(inversion.target[0], target, atol=5e-5, rtol=0)
        (network_input,) = self.inputs(feature, 1, torch.float32)
        before = reference(self.FILE, f"{feature}.output_step0_before_update_every2")
        torch.testing.assert_close(inversion.image(network_input)[0, :, ::2, ::2], before, atol=1e-4, rtol=0)
        loss = reference(self.FILE, f"{feature}.loss_f32")[0]
        assert near(float(inversion.step(network_input)), float(loss), 1e-4)

    @pytest.mark.parametrize(("feature", "steps", "tolerance"), [("CLS", 5, 1e-8), ("keys", 5, 1e-8)])
    def test_updates_in_float64(self, feature, steps, tolerance) -> None:
        """Half of the golden steps; over all ten the difference stays below 1e-8, too (measured once)."""
        vit, expected = golden_vit(torch.float64), image(self.FILE, "image_u8", torch.float64)
        inversion = FeatureInversion(self.network(torch.float64), vit, expected, feature)
        losses = golden("splice_f64_reference_runs", f"A7.{feature}.loss", SPLICE_AND_PIX2PIX_ZERO)
        for network_input, loss in zip(
            self.inputs(feature, steps, torch.float64), losses[:steps].tolist(), strict=True
        ):
            assert near(float(inversion.step(network_input)), loss, tolerance)

    def test_an_image_comes_back_from_its_keys(self) -> None:
        vit = load_vit(random_weights())
        expected = F.interpolate(random_images(4, 4), (128, 128), mode="bicubic").clamp(0, 1)
        inversion = FeatureInversion(inversion_network(0), vit, expected, "keys")
        errors = []
        for network_input in network_inputs(128, 128, 40, "keys", seed=0):
            errors.append(float((inversion.image(network_input) - expected).abs().mean()))
            inversion.step(network_input)
        assert errors[-1] < 0.5 * errors[0]

    def test_noise_weakens_for_cls_only(self) -> None:
        fixed = list(network_inputs(64, 64, 8, "keys", seed=1))
        assert all(network_input is fixed[0] for network_input in fixed)
        deviations = [float(network_input.std()) for network_input in network_inputs(64, 64, 8, "CLS", seed=1)]
        expected = [(1 + strength**2) ** 0.5 for strength in (10, 10, 10, 10, 2, 2, 0.5, 0.5)]
        assert deviations == pytest.approx(expected, rel=0.02)

    def test_a_loss_that_is_no_number_stops(self) -> None:
        vit = load_vit(random_weights())
        inversion = FeatureInversion(inversion_network(0), vit, random_images(128, 128), "keys")
        with pytest.raises(ValueError, match="no longer a number"):
            inversion.step(torch.full((1, 32, 128, 128), torch.nan))

    def test_the_seed_is_the_network(self) -> None:
        state = torch.get_rng_state()
        first, again, other = (inversion_network(seed).head.weight for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)
