"""How much memory recorded keys and values take: by hand, and for the numbers of published networks."""

from appearance_transfer.attention.recorded_bytes import RecordedBytes, RecordedLayer, recorded_bytes


def test_of_one_image_in_one_layer() -> None:
    assert recorded_bytes([[RecordedLayer(tokens=6, channels=10)]], value=4) == RecordedBytes(240, 1, 1, 240)


def test_layers_images_and_steps_add_up() -> None:
    small, large = RecordedLayer(4, 8), RecordedLayer(16, 4)
    assert recorded_bytes([[small, large], [small, large], [large]], value=2, steps=3) == RecordedBytes(
        largest=128, images=3, layers=2, whole=3 * (64 + 128 + 64 + 128 + 128)
    )


def test_of_nothing() -> None:
    assert recorded_bytes([], value=2) == RecordedBytes(0, 0, 0, 0)
    assert recorded_bytes([[]], value=2) == RecordedBytes(0, 1, 0, 0)
