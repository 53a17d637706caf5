"""The way to Ray: a cluster that is there is joined, else one is started on this machine.

Whoever reaches Ray's ports, and has its token where it asks for one, can run what he likes, see
SECURITY.md. What is started here listens on this machine alone.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.lanes import cores
from ..errors import CamdemoError, Unreachable
from ..settings import Settings
from .engine import Link
from .messages import APP

_SECONDS = 3.0  # for a head to take a connection
_MEMORY = 256 * 2**20  # bytes for what is on its way between processes of one machine
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_SERVE_LOG_TO_STDERR": "0",  # its log is a file
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # the rest is told by what it raises
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else what is left of an ended one starts another
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Ray, joined or started.

    Attributes:
        address: of its head, HOST:PORT.
        is_ours: whether it was started here.
        end: lets go of it; one that was started here ends.
    """

    address: str
    is_ours: bool
    end: Callable[[], None]


def way(environment: Mapping[str, str] = os.environ) -> Callable[[], Cluster]:
    """What joins the cluster at RAY_ADDRESS, or starts one on this machine where there is none.

    Raises:
        CamdemoError: Ray is not installed, or RAY_ADDRESS has a form that can't be used.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # noqa: F401
    except ImportError as error:
        raise CamdemoError(
            "--engine ray needs Ray, which is not installed. Install it with "
            "pip install 'camdemo[ray]', or leave the flag out."
        ) from error
    address = environment.get("RAY_ADDRESS", "").strip()
    host, colon, port = address.rpartition(":")
    if address and ("//" in address or not (host and colon and port.isdigit())):
        raise CamdemoError(
            f"RAY_ADDRESS is {address!r}. It must be HOST:PORT of a cluster's head, and this "
            "machine a part of that cluster (ray start --address=HOST:PORT --num-cpus=0)."
        )
    return lambda: _join(address) if address else _start()


def connector(
    settings: Settings,
    add: Sequence[str] = (),
    replicas: int = 1,
    environment: Mapping[str, str] = os.environ,
) -> Callable[[], Link]:
    """What makes the way to the replicas, see `RayEngine`.

    The application of the cluster at RAY_ADDRESS is taken as it is deployed; where there is none,
    it is deployed, and deleted in the end.

    Args:
        settings: `lanes` (of a replica) and `cache_models` count, where it is deployed from here.
        add: models of one's own, the same.
        replicas: how many there are at least, the same; more come while there is much to do.

    Raises:
        CamdemoError: Ray is not installed, or RAY_ADDRESS has a form that can't be used.
    """
    enter = way(environment)

    def connect() -> Link:
        from ray import serve
        from ray.serve.context import _set_global_client

        cluster = enter()
        _set_global_client(None)  # Serve keeps the one of a head that is no more
        try:
            is_new = cluster.is_ours or APP not in serve.status().applications
            handle = _deploy(settings, add, replicas) if is_new else serve.get_app_handle(APP)
        except BaseException:
            cluster.end()
            raise

        def end() -> None:
            handle.shutdown()  # else it goes on to tell what it has to do
            if is_new and not cluster.is_ours and _answers(cluster.address):
                serve.delete(APP)
            cluster.end()

        return Link(handle, lambda: _answers(cluster.address), end)

    return connect


def _join(address: str) -> Cluster:
    import ray

    if not _answers(address):
        raise Unreachable(
            f"Nobody answers at {address}, where RAY_ADDRESS says that Ray's head is. Start it "
            "there (ray start --head), or leave RAY_ADDRESS out."
        )
    _init(address=address)
    return Cluster(address, False, ray.shutdown)


def _start() -> Cluster:
    import ray

    folder = tempfile.mkdtemp(prefix="ray-")
    # A token of its own, which is written nowhere: where one is there, Ray asks for it.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

    def end() -> None:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)

    try:
        _init(
            address="local",
            num_cpus=cores(),
            include_dashboard=False,
            object_store_memory=_MEMORY,
            _node_ip_address="127.0.0.1",
            _temp_dir=folder,
        )
        return Cluster(ray.get_runtime_context().gcs_address, True, end)
    except BaseException:
        end()
        raise


def _init(**options: Any) -> None:
    import ray

    try:
        ray.init(namespace=APP, log_to_driver=False, logging_level=logging.ERROR, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise Unreachable(f"Ray can't be joined: {str(error).strip().splitlines()[0]}") from error


def _deploy(settings: Settings, add: Sequence[str], replicas: int) -> Any:
    """Deploy the application, with as many replicas at most as the cluster has cores for."""
    import ray
    from ray import serve

    from .app import Arguments, build

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    lanes = settings.lanes or 1
    most = max(replicas, int(ray.cluster_resources().get("CPU", 1)) // lanes)
    arguments = Arguments(
        lanes=lanes,
        replicas=replicas,
        most_replicas=most,
        cache_models=settings.cache_models,
        add=list(add),
    )
    serve.start(proxy_location="Disabled")  # no port: it is asked by its handle alone
    try:
        return serve.run(build(arguments), name=APP, route_prefix=None)
    except RuntimeError as error:
        raise CamdemoError(f"Ray can't start a replica: {last_line(error)}") from error


def last_line(error: Exception) -> str:
    """The last one that says something: the end of a traceback from elsewhere."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _SECONDS):
            return True
    except OSError:
        return False
