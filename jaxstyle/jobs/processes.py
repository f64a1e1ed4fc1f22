"""Several processes that share one job: the index of this process and the number of processes."""

import re

import jax

from jaxstyle.errors import ConfigError, JaxStyleError

_TIMEOUT = 300  # seconds for all processes to connect


def join_processes(coordinator: str | None, processes: int | None, process: int | None) -> tuple[int, int]:
    """The index of this process and the number of processes.

    The processes connect once, by `jax.distributed`, and disconnect at once. After that each has its local devices and
    no connection to the others, so that one that dies does not end the others.

    Args:
        coordinator: `HOST:PORT` of process 0, or "auto" on a cluster that JAX recognizes; None for a single process.
        processes: the number of processes, unless the cluster provides it.
        process: the index of this process, unless the cluster provides it.

    Raises:
        ConfigError: if the arguments contradict each other.
        JaxStyleError: if the processes do not connect.
    """
    if coordinator is None:
        if processes is not None or process is not None:
            raise ConfigError("--processes and --process need --coordinator HOST:PORT, the address of process 0")
        return 0, 1
    if coordinator == "auto":
        address = None
    else:
        address = coordinator
        if not re.fullmatch(r".+:\d+", coordinator):
            raise ConfigError(f"--coordinator is {coordinator!r}; expected HOST:PORT, or auto on a cluster")
        if processes is None or process is None:
            raise ConfigError("--coordinator HOST:PORT needs --processes and --process")
        if not 0 <= process < processes:
            raise ConfigError(f"--process is {process} of {processes}; expected 0 to {processes - 1}")
    try:
        jax.distributed.initialize(address, processes, process, initialization_timeout=_TIMEOUT)
    except (RuntimeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise JaxStyleError(
            f"the processes did not connect ({reason}); check --coordinator, and that all of them run"
        ) from None
    try:
        return jax.process_index(), jax.process_count()
    finally:
        jax.distributed.shutdown()
