"""dev.py as a person calls it: every mistake is one sentence, and nothing but Python is needed to be told so."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def dev(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, ROOT / "dev.py", *words], cwd=ROOT, capture_output=True, text=True)


def test_help_names_every_command() -> None:
    told = dev("--help").stdout
    assert all(command in told for command in ("setup", "demo", "grid", "serve", "test", "bench", "nodes"))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("setup", "--comfyui", "nowhere"), "is no ComfyUI folder"),
        (("bench", "nothing"), "There is no benchmark 'nothing'"),
        (("demo", "--structure", "missing.png"), "both --structure and --appearance"),
        (("demo", "--structure", "missing.png", "--appearance", "missing.png"), "There is no picture missing.png"),
        (("grid", "missing", "missing"), "There is no folder missing"),
        (("demo", "--checkpoint", "missing.safetensors"), "There is no checkpoint missing.safetensors"),
    ],
)
def test_a_mistake_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = dev(*words)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_setup_needs_only_the_standard_library() -> None:
    """What runs before there is an environment imports nothing else: -I -S hides every installed package."""
    done = subprocess.run([sys.executable, "-I", "-S", ROOT / "dev.py", "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_setup_a_second_time_changes_nothing() -> None:
    done = dev("setup")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Ready: ComfyUI")
    assert len(done.stdout.splitlines()) == 1
