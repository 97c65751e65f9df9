"""Workers as Ray actors on this machine: a worker that dies is started again, and what it was doing is done again."""

import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..cli_output import CliError
from ..paths import CACHE, ROOT
from ..server import link
from .scheduler import ATTEMPTS, Submit
from .worker import Job, JobResult, Worker

PACKAGE = "appearance_transfer"
STORE = 2**27  # bytes of Ray's object store; what goes through it are jobs and finished images
SHORT = f"{os.sep}tmp" if os.name == "posix" else None  # a Unix socket's name holds 107 bytes; Ray's are long


@contextmanager
def workers(count: int) -> Iterator[list[Submit]]:
    """Ways to give jobs to that many workers, for the length of a `with` block."""
    with (
        _environment(
            RAY_USAGE_STATS_ENABLED="0",  # it would tell the network
            RAY_AUTH_MODE="token",  # else anybody on this machine could hand Ray code to run
            RAY_AUTH_TOKEN=secrets.token_hex(32),
            PYTHONPATH=_import_path(),
        ),
        tempfile.TemporaryDirectory(prefix="ray-", dir=SHORT, ignore_cleanup_errors=True) as folder,
    ):
        try:
            import ray
        except ImportError:
            raise CliError("dev.py grid needs Ray, and it is not installed: run python dev.py setup.") from None
        ray.init(
            "local",
            num_cpus=count,
            num_gpus=0,
            object_store_memory=STORE,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        try:
            actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=ATTEMPTS - 1)(Worker)
            yield [partial(_submit, actor.remote()) for _ in range(count)]
        finally:
            ray.shutdown()


def _submit(actor: Any, address: str, job: Job) -> "Future[JobResult]":
    """Hand a job to an actor. A worker that died for good is a lost answer like any other."""
    from ray.exceptions import RayActorError

    answered: Future[JobResult] = Future()

    def pass_on(future: "Future[JobResult]") -> None:
        error = future.exception()
        if isinstance(error, RayActorError):
            answered.set_result(JobResult([], 0.0, "The worker of this pair was killed again and again.", lost=True))
        elif error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(future.result())

    actor.make.remote(address, job).future().add_done_callback(pass_on)
    return answered


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Variables that Ray and its processes see, for the length of a `with` block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _import_path() -> str:
    """A folder from which the pack can be imported under its name, whatever its own folder is called."""
    folder = CACHE / "import"
    folder.mkdir(parents=True, exist_ok=True)
    link(folder / PACKAGE, ROOT)
    return str(folder)
