"""What the tests of this tier need: networks out of the package registry, and photographs beside the repository."""

from collections.abc import Iterator

import pytest
import torch
from appearance_transfer.benchmarks.photographs import IMAGES, WILLOW
from appearance_transfer.benchmarks.photographs.measures import Networks, real_networks
from appearance_transfer.developer.cli_output import CliError


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def networks() -> Networks:
    """Fetched and converted by the first run."""
    try:
        return real_networks()
    except CliError as error:
        pytest.skip(f"There are no real networks: {error}")


@pytest.fixture(scope="session")
def photographs() -> None:
    if not IMAGES.is_dir():
        pytest.skip(f"There are no photographs at {IMAGES}.")


@pytest.fixture(scope="session")
def keypoints() -> None:
    if not WILLOW.is_dir():
        pytest.skip(f"There are no photographs with keypoints at {WILLOW}.")
