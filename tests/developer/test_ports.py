"""Which port `serve` takes: the user's, or else ComfyUI's own, or else the next free one, which is said."""

import socket
from collections.abc import Iterator

import pytest
from appearance_transfer.developer import ports
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.ports import free_port, port_to_serve


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("words", [["--port", "{}"], ["--port={}"], ["--port", "1", "--cpu", "--port", "{}"]])
def test_the_user_s_port_is_taken_as_comfyui_reads_it(words: list[str]) -> None:
    port = free_port()
    assert port_to_serve([word.format(port) for word in words]) == port


@pytest.mark.parametrize("asked", ["abc", "", "0", "65536", "-1", "8188.0", "\u0661"])
def test_what_is_no_port_is_refused(asked: str) -> None:
    with pytest.raises(CliError, match="is no port: give a number from 1 to 65535"):
        port_to_serve(["--port", asked])


def test_a_port_that_is_taken_is_refused(taken: int) -> None:
    with pytest.raises(CliError, match=f"Port {taken} is taken"):
        port_to_serve(["--port", str(taken)])


def test_without_a_port_it_is_always_the_same(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(ports, "USUAL", free_port())
    assert port_to_serve([]) == port_to_serve(["--cpu"]) == ports.USUAL
    assert capsys.readouterr().out == ""


def test_the_next_free_port_is_said(monkeypatch: pytest.MonkeyPatch, taken: int, capsys) -> None:
    monkeypatch.setattr(ports, "USUAL", taken)
    found = port_to_serve([])
    assert taken < found <= taken + ports.TRIED
    assert f"Port {taken} is taken" in (printed := capsys.readouterr().out)
    assert f"port {found} is used" in printed


def test_no_free_port_is_trouble(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    monkeypatch.setattr(ports, "USUAL", taken)
    monkeypatch.setattr(ports, "TRIED", 1)
    with pytest.raises(CliError, match="are all taken"):
        port_to_serve([])


def test_comfyui_s_own_port_comes_first() -> None:
    assert ports.USUAL == 8188
