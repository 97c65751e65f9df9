"""DIFT as a scheme of looks: shared noise, means of raw features, batches, all around a stand-in for the network."""

import pytest
import torch
from appearance_transfer.correspondence.dift import (
    DiftSettings,
    draws_per_batch,
    ensemble_mean,
    shared_noise,
)

SHAPE = (4, 6, 5)


def clean(images: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(images, *SHAPE, generator=torch.Generator().manual_seed(seed))


def forward(x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Something nonlinear, so that the order of mean and network matters."""
    return torch.tanh(x + 2.0 * noise).pow(3)


class TestNoise:
    def test_it_is_fixed_by_the_seed(self) -> None:
        assert torch.equal(shared_noise(SHAPE, 3, seed=5), shared_noise(SHAPE, 3, seed=5))
        assert not torch.equal(shared_noise(SHAPE, 3, seed=5), shared_noise(SHAPE, 3, seed=6))

    def test_every_look_has_its_own(self) -> None:
        noise = shared_noise(SHAPE, 8, seed=0).flatten(1)
        assert (torch.corrcoef(noise) - torch.eye(8)).abs().max() < 0.4

    def test_all_images_share_it(self) -> None:
        seen = []
        ensemble_mean(lambda x, noise: seen.append(noise) or x, clean(3), shared_noise(SHAPE, 2, seed=0), batch=6)
        noise = seen[0].unflatten(0, (2, 3))
        assert torch.equal(noise[:, 0], noise[:, 1])
        assert torch.equal(noise[:, 0], noise[:, 2])


class TestEnsemble:
    def test_it_is_the_mean_of_the_raw_features(self) -> None:
        x, noise = clean(2), shared_noise(SHAPE, 5, seed=1)
        expected = torch.stack([forward(x, one.expand_as(x)) for one in noise]).mean(0)
        torch.testing.assert_close(ensemble_mean(forward, x, noise, batch=4), expected)

    def test_a_strong_look_counts_more_than_a_weak_one(self) -> None:
        """Normalizing before the mean would make the two looks equal."""
        strengths = iter([1.0, 9.0])
        directions = iter([0, 1])

        def one_direction(x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
            features = torch.zeros(1, 2, 1, 1)
            features[:, next(directions)] = next(strengths)
            return features

        mean = ensemble_mean(one_direction, clean(1), shared_noise(SHAPE, 2, seed=0), batch=1)
        assert mean.flatten().tolist() == [0.5, 4.5]

    @pytest.mark.parametrize("batch", [1, 2, 3, 7, 64])
    def test_the_batch_does_not_matter(self, batch) -> None:
        x, noise = clean(2), shared_noise(SHAPE, 5, seed=1)
        torch.testing.assert_close(ensemble_mean(forward, x, noise, batch), ensemble_mean(forward, x, noise, batch=10))

    def test_a_forward_has_no_more_rows_than_asked_for(self) -> None:
        rows = []
        ensemble_mean(lambda x, noise: rows.append(len(x)) or x, clean(3), shared_noise(SHAPE, 5, seed=0), batch=7)
        assert rows == [6, 6, 3]
        assert draws_per_batch(images=9, batch=4) == 1

    def test_posterior_samples_go_look_by_look(self) -> None:
        samples, noise = torch.stack([clean(2, seed) for seed in range(3)]), shared_noise(SHAPE, 3, seed=1)
        expected = torch.stack([forward(x, n.expand_as(x)) for x, n in zip(samples, noise, strict=True)]).mean(0)
        torch.testing.assert_close(ensemble_mean(forward, samples, noise, batch=4), expected)

    def test_half_precision_is_summed_in_full(self) -> None:
        mean = ensemble_mean(lambda x, noise: x.half(), clean(1), shared_noise(SHAPE, 3, seed=0), batch=1)
        assert mean.dtype == torch.float32

    def test_too_few_posterior_samples_are_refused(self) -> None:
        with pytest.raises(ValueError, match="2 posterior samples of every image and 3 draws"):
            ensemble_mean(forward, clean(2)[:, None], shared_noise(SHAPE, 3, seed=0), batch=4)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"timestep": 1000}, "0 to 999"),
        ({"timestep": -1}, "0 to 999"),
        ({"up_block": -1}, "up_block"),
        ({"ensemble": 0}, "1 or more"),
        ({"batch": 0}, "1 or more"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        DiftSettings(**wrong)
