"""A whole job of many pairs: planned, carried out, and told about."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from jaxstyle.batch import workers
from jaxstyle.buckets import Group
from jaxstyle.cli.job.inputs import Networks, Reader
from jaxstyle.cli.job.manifest import Task
from jaxstyle.cli.job.plan import Plan, make_plan, pace_of, standing
from jaxstyle.cli.job.progress import Watch, reason
from jaxstyle.cli.job.records import HIDDEN, Records, Share, read_records
from jaxstyle.cli.job.run import Run, Work
from jaxstyle.cli.run import sigterm_like_ctrl_c
from jaxstyle.errors import ConfigError, PictureError
from jaxstyle.memory import bytes_needed


@dataclass(eq=False)
class BatchJob:
    """A job as a command carries it out, in a thread of its own.

    Attributes:
        tasks: the pairs.
        folder: where the results go.
        device: what records tell of it.
        share: which part is this process's.
        batch_size: pairs in one program, if someone said.
        retry_failed, fail_fast: what to do about pairs that failed before, or fail.
        every: seconds between the checkpoints of what takes long.
        histories: whether records tell the losses of every step.
        networks: those that were loaded.
        watch, done: what has come of it: who was told, and the pairs with results.
    """

    tasks: Sequence[Task]
    folder: Path
    device: dict[str, Any]
    share: Share = field(default_factory=Share)
    batch_size: int | None = None
    retry_failed: bool = False
    fail_fast: bool = False
    every: float = 60
    histories: bool = False
    networks: Networks = field(default_factory=Networks)
    watch: Watch | None = None
    done: frozenset[int] = frozenset()

    def plan(self) -> Plan:
        """How the job stands."""
        return make_plan(
            self.tasks,
            self.networks,
            read_records(self.folder),
            self.folder,
            batch_size=self.batch_size,
            retry_failed=self.retry_failed,
        )

    def __call__(self) -> dict[str, Any]:
        """Do what is to be done, and tell about it."""
        began = time.perf_counter()
        with closing(Records(self.folder, self.share)) as records:
            plan = self.plan()
            self.watch = Watch(plan, self.share)
            work = Work(
                plan=plan,
                share=self.share,
                networks=self.networks,
                reader=Reader(self.networks, self.folder, self.device),
                records=records,
                folder=self.folder,
                watch=self.watch,
                workers=self._workers(plan),
                every=self.every,
                fail_fast=self.fail_fast,
                histories=self.histories,
            )
            with self.watch.shown():
                Run(work)()
        self.done, failed = standing(plan.tasks, plan.keys, read_records(self.folder), self.folder)
        own = plan.own(self.share)
        wrong = {pair: error for pair, error in failed.items() if pair in own}
        return {
            "pairs": len(own),
            "done": len(own & self.done),
            "done_before": len(own & plan.done),
            "failed": [{"output": str(plan.tasks[pair].output), "error": error} for pair, error in wrong.items()],
            "untried": len(own - self.done - wrong.keys()),
            "output": str(self.folder),
            "record": str(records.path),
            "pairs_per_minute": self.watch.per_minute(),
            "seconds": time.perf_counter() - began,
        }

    def tell(self) -> dict[str, Any]:
        """What there is to do, in plain values."""
        plan = self.plan()
        workers, todo = self._workers(plan), set(plan.todo)
        pace = pace_of(read_records(self.folder).values(), self.device)
        programs: dict[Any, dict[str, Any]] = {}
        for group in plan.groups:
            if own := todo & set(group.pairs):
                kind = group.frames, group.lanes, plan.tasks[group.pairs[0]].settings.choice
                told = programs.setdefault(kind, {}) or programs[kind] | self._tell_group(plan, group)
                programs[kind] = told | {"groups": told["groups"] + 1, "pairs": told["pairs"] + len(own)}
        return {
            "pairs": len(plan.tasks),
            "done": len(plan.done),
            "failed": [reason(plan.tasks[pair], error) for pair, error in (plan.failed | plan.unreadable).items()],
            "todo": [str(plan.tasks[pair].output) for pair in plan.todo],
            "groups": list(programs.values()),
            "at_once": workers,
            "device": self.device,
            "seconds": None if pace is None else pace * sum(plan.work[pair] for pair in todo) / workers,
        }

    def _tell_group(self, plan: Plan, group: Group) -> dict[str, Any]:
        settings, last = plan.tasks[group.pairs[0]].settings, group.frames[-1]
        network = self.networks(settings)
        return {
            "shapes": [[frame.height, frame.width] for frame in group.frames],
            "together": group.lanes,
            "bytes": bytes_needed(network, settings.config, last.height, last.width, lanes=group.lanes),
            "groups": 0,
            "pairs": 0,
        }

    def _workers(self, plan: Plan) -> int:
        """Groups to compute at the same time: as many as the most demanding settings allow."""
        kinds = {(plan.tasks[pair].settings, group.lanes) for group in plan.groups for pair in group.pairs}
        of_config = {(settings.config, lanes): self.networks(settings) for settings, lanes in kinds}
        found = [workers(network, [config], lanes) for (config, lanes), network in of_config.items()]
        return min(found, default=1)


def check_places(tasks: Sequence[Task], folder: Path, *, overwrite: bool, from_folders: bool) -> None:
    """Raise if a result would replace a picture that is to be read, or, unless asked for, one that no job has made."""
    inputs = {os.path.realpath(file.expanduser()) for task in tasks for file in task.files}
    if from_folders and os.path.realpath(folder) in {os.path.dirname(file) for file in inputs}:
        raise ConfigError(f"{folder} has pictures to read in it; choose another folder for the results")
    is_ours = (folder / HIDDEN).is_dir()
    for task in tasks:
        path = folder / task.output
        if os.path.realpath(path) in inputs:
            raise ConfigError(f"{path} is one of the pictures to read; choose another name for the result")
        if not is_ours and not overwrite and path.exists():
            raise PictureError(f"{path}: exists already, and no job made it; choose another folder, or say --overwrite")


@contextmanager
def stoppable(job: BatchJob) -> Iterator[None]:
    """Within, Ctrl-C and SIGTERM end the command: the same command goes on from there."""
    try:
        with sigterm_like_ctrl_c():
            yield
    except KeyboardInterrupt:
        done = job.watch.hide() if job.watch else 0
        typer.echo(f"jaxstyle: stopped; this run finished {done} pairs, and the same command goes on", err=True)
        raise typer.Exit(130) from None


def fail_unless_done(record: Mapping[str, Any]) -> None:
    """End the command with 1, and say so, unless all pairs of the job with this record are done."""
    if record["done"] < record["pairs"]:
        untried = f", {record['untried']} not tried" if record["untried"] else ""
        told = f"{record['done']} of {record['pairs']} pairs are done, {len(record['failed'])} failed{untried}"
        typer.echo(f"jaxstyle: {told}; {record['record']} tells of each", err=True)
        raise typer.Exit(1)
