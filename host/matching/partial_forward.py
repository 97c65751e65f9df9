"""A forward of a network that ends where what is looked for is found, so that what lies behind costs nothing."""

from collections.abc import Callable, Iterable
from typing import Any

from torch.utils.hooks import RemovableHandle


class Found(Exception):
    """All is there; nothing behind it needs to run."""


def run_until_found(forward: Callable[[], Any], hooks: Iterable[RemovableHandle], what: str) -> None:
    """Run `forward()` until a hook raises `Found`; however it ends, the hooks are removed.

    what: of the network is looked for. Raises ValueError where it has not run.
    """
    try:
        forward()
    except Found:
        return
    finally:
        for hook in hooks:
            hook.remove()
    raise ValueError(
        f"The MODEL ran without its own {what}: another node replaces the whole network. "
        "Connect the MODEL from before that node."
    )
