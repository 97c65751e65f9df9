"""PSNR and SSIM against scikit-image, which computes them by other means."""

import numpy as np
import pytest
import torch
from appearance_transfer.evaluation.structural_similarity import ssim, ssim_positions
from appearance_transfer.inversion.quality import psnr
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def images(seed: int, count: int = 2) -> torch.Tensor:
    """Smooth ones [B, 3, 40, 56] in 0..1."""
    coarse = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.interpolate(coarse, size=(40, 56), mode="bicubic").clamp(0, 1)


def test_they_are_those_of_scikit_image() -> None:
    output, original = (images(0) + 0.1 * images(1)).clamp(0, 1), images(0)
    for index in range(2):
        a, b = (x[index].movedim(0, -1).numpy() for x in (output, original))
        how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        expected, full = structural_similarity(a, b, data_range=1, channel_axis=-1, full=True, **how)
        assert float(ssim(output, original)[index]) == pytest.approx(expected, abs=1e-9)
        inside = np.moveaxis(full[5:-5, 5:-5], -1, 0)
        np.testing.assert_allclose(ssim_positions(output, original)[index].numpy(), inside, atol=1e-9)
        expected = peak_signal_noise_ratio(b, a, data_range=1)
        assert float(psnr(output, original)[index]) == pytest.approx(expected, abs=1e-9)


def test_identity_symmetry_and_order() -> None:
    original = images(2)
    noise = torch.randn(original.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert ssim(original, original).tolist() == pytest.approx([1, 1])
    noisy = [original + amount * noise for amount in (0.02, 0.05, 0.1, 0.2)]
    torch.testing.assert_close(ssim(noisy[0], original), ssim(original, noisy[0]))
    falling = torch.stack([ssim(image, original) for image in noisy])
    assert (falling.diff(dim=0) < 0).all()
    assert falling.max() < 1


def test_images_smaller_than_the_window_are_refused() -> None:
    with pytest.raises(ValueError, match="11 x 11 pixels at a time"):
        ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))
