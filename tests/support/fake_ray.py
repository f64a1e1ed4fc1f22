"""The functions of Ray that the package calls, with threads of this process in the place of actors.

What goes to and from an actor is pickled, as by Ray. A killed actor answers no more calls.
"""

import pickle
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """The actor has died."""


class RayTaskError(RayError):
    """A call has raised an error, the cause."""

    def __init__(self, cause: BaseException):
        super().__init__(str(cause))
        self.cause = cause


class Actor:
    """The handle of an actor; one that has no room never begins, and does not answer."""

    def __init__(self, class_: type, arguments: Sequence[Any], *, has_room: bool):
        self.calls: list[Future] = []
        self.is_dead, self.has_room = False, has_room
        try:
            self.instance = class_(*map(copied, arguments))
        except Exception:
            self.is_dead = True

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: self.call(name, *arguments))

    def call(self, name: str, *arguments: Any) -> Future:
        future: Future = Future()
        self.calls.append(future)
        if self.is_dead:
            future.set_exception(RayError("it is dead"))
        if self.is_dead or not self.has_room:
            return future

        def run() -> None:
            try:
                result, error = getattr(self.instance, name)(*map(copied, arguments)), None
            except Exception as raised:
                result, error = None, RayTaskError(raised)
            with suppress(Exception):  # the actor was killed meanwhile
                future.set_exception(error) if error else future.set_result(copied(result))

        threading.Thread(target=run, daemon=True).start()
        return future

    def die(self) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        self.instance.finish()  # so that its threads end
        for future in self.calls:
            if not future.done():
                future.set_exception(RayError("it was killed"))


class FakeRay:
    """The module, with a cluster of nodes that have these resources."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, *resources: dict[str, float]):
        self.resources = resources
        self.actors: list[Actor] = []

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": resources} for resources in self.resources]

    def put(self, value: Any) -> Any:
        return value

    def remote(self, class_: type) -> Any:
        def with_options(num_cpus: float = 0, num_gpus: float = 0, **_: Any) -> SimpleNamespace:
            def hire(*arguments: Any) -> Actor:
                has_room = any(
                    node.get("CPU", 0) >= num_cpus and node.get("GPU", 0) >= num_gpus for node in self.resources
                )
                self.actors.append(Actor(class_, arguments, has_room=has_room))
                return self.actors[-1]

            return SimpleNamespace(remote=hire)

        return SimpleNamespace(options=with_options)

    def get(self, future: Future) -> Any:
        return future.result()

    def wait(self, futures: list[Future], *, num_returns: int, timeout: float) -> tuple[list[Future], list[Future]]:
        assert num_returns == len(futures)
        done, pending = wait(futures, timeout=timeout if timeout > 1 else 0.02)
        return list(done), list(pending)

    def kill(self, actor: Actor) -> None:
        actor.die()

    def living(self) -> list[Actor]:
        return [actor for actor in self.actors if not actor.is_dead]


def copied(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))
