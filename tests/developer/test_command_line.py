"""dev.py as a user calls it: every mistake is one sentence, and nothing but Python is needed to be told so."""

import errno
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from appearance_transfer.developer.cli_output import full_disk
from appearance_transfer.developer.gallery import file_name
from appearance_transfer.tests.nodes.test_schemas import IDS
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
IMAGES = "docs/images"
FIRST = f"workflows/{file_name('01_cross_image_attention_pocket')}.json"


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "dev.py", *words], cwd=ROOT, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    printed = dev("--help").stdout
    assert all(command in printed for command in ("setup", "demo", "grid", "serve", "test", "bench", "nodes"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("setup", "--comfyui", "nowhere"), "is no ComfyUI folder"),
        (("bench", "nothing"), "There is no benchmark 'nothing'"),
        (("demo", "--structure", "missing.png"), "both --structure and --appearance"),
        (("demo", "--structure", "missing.png", "--appearance", "missing.png"), "There is no image missing.png"),
        (("demo", "--structure", "dev.py", "--appearance", "dev.py"), "dev.py is no image that can be read"),
        (("demo", "--out", "dev.py"), "dev.py cannot be written"),
        (("test", "--frontend"), "--frontend : give a version of comfyui-frontend-package"),
        (("serve", "--port", "abc"), "--port abc is no port"),
        (("serve", "--port"), "is no port"),
        (("serve", "--port=70000"), "--port 70000 is no port"),
        (("serve", "--prot", "8200"), "ComfyUI does not take these words: unrecognized arguments: --prot 8200"),
        (("serve", "--preview-method", "nice"), "invalid choice: 'nice'"),
        (("grid", "missing", "missing"), "There is no folder missing"),
        (("grid", IMAGES, IMAGES, "--out", "dev.py"), "dev.py cannot be written"),
        (("grid", IMAGES, IMAGES, "--workers", "0"), "--workers must be 1 or more"),
        (("grid", IMAGES, IMAGES, "--servers", ""), "'' is no address of a ComfyUI"),
        (("grid", IMAGES, IMAGES, "--servers", "localhost:8188"), "'localhost:8188' is no address of a ComfyUI"),
        (("grid", IMAGES, IMAGES, "--workflow", "missing.json"), "There is no workflow missing.json"),
        (("grid", IMAGES, IMAGES, "--workflow", "constraints.txt"), "constraints.txt is no workflow of ComfyUI"),
        (("grid", IMAGES, IMAGES, "--workflow", FIRST), "The workflow loads no image called structure"),
        (("grid", IMAGES, IMAGES, "--checkpoint", "dev.py"), "dev.py is no checkpoint that ComfyUI lists"),
        (("demo", "--checkpoint", "missing.safetensors"), "There is no checkpoint missing.safetensors"),
        (("demo", "--checkpoint", "dev.py"), "dev.py is no checkpoint that ComfyUI lists"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = dev(*words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_nodes_are_listed_at_once() -> None:
    """No ComfyUI is started, nor is torch read."""
    begun = time.monotonic()
    printed = dev("nodes").stdout.splitlines()
    assert time.monotonic() - begun < 10  # one second where nothing else runs
    assert "AppearanceTransfer_InvertImage\tInvert Image\tappearance transfer/inversion" in printed
    assert len(printed) == len(IDS)


def test_a_reader_who_has_seen_enough_is_no_trouble() -> None:
    listing = subprocess.Popen(
        [sys.executable, ROOT / "dev.py", "nodes"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    listing.stdout.close()
    assert listing.stderr.read() == b""
    assert listing.wait() == 0


def test_the_help_of_serve_says_what_is_passed_on() -> None:
    printed = dev("serve", "--help").stdout
    for word in ("--port", "--lowvram", "--preview-method", "main.py", "out/comfyui"):
        assert word in printed


def test_a_full_disk_is_one_sentence_with_the_file_s_name(tmp_path: Path) -> None:
    """No file may grow beyond a few bytes, as on a disk with no more room."""
    resource = pytest.importorskip("resource")  # POSIX
    image = tmp_path / "horse.png"
    Image.effect_noise((64, 64), 80).save(image)
    done = subprocess.run(
        [sys.executable, ROOT / "dev.py", "demo", "--structure", image, "--appearance", image, "--out", tmp_path],
        cwd=ROOT, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024)),
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"dev.py: \S.*structure.png cannot be written: File too large.", done.stderr.strip())


def test_what_fills_the_disk_without_a_name_is_told_as_well() -> None:
    assert full_disk(OSError(errno.ENOSPC, "x")).startswith("No space left on device: free some space")
    assert "(out/grid.png)" in full_disk(OSError(errno.EDQUOT, "x", "out/grid.png"))
    assert full_disk(FileNotFoundError(errno.ENOENT, "x", "y")) is None


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows ends what belongs to a terminal itself.")
@pytest.mark.parametrize("ending", ["SIGHUP", "SIGTERM"])
def test_a_terminal_that_closes_ends_comfyui(comfyui: Path, ending: str) -> None:
    number = getattr(signal, ending)
    served = subprocess.Popen(
        [sys.executable, ROOT / "dev.py", "serve"], cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        comfyuis = _comfyuis_below(served.pid)
        for _ in range(2):  # the system says so, and the shell says it again
            served.send_signal(number)
        assert served.wait(60) == 128 + number
        psutil.wait_procs(comfyuis, 30)
        assert not [process for process in comfyuis if process.is_running()]
    finally:
        served.kill()


def _comfyuis_below(pid: int) -> list[psutil.Process]:
    """The ComfyUIs that a process has started, as soon as there is one."""
    for _ in range(600):
        found = [
            process
            for process in psutil.Process(pid).children(recursive=True)
            if any(word.endswith("main.py") for word in process.cmdline())
        ]
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("There is no ComfyUI.")


def test_setup_needs_only_the_standard_library() -> None:
    """What runs before there is an environment imports nothing else: -I -S hides every installed package."""
    done = subprocess.run([sys.executable, "-I", "-S", ROOT / "dev.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_setup_a_second_time_changes_nothing() -> None:
    done = dev("setup")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ready: ComfyUI")
    assert len(done.stdout.splitlines()) == 1
