"""The processes of one training: that they are those the recipe asks for, and what the first of them does alone."""

import os
from collections.abc import Sequence
from typing import Any

from kbench.benchmarks.recipe import TrainRecipe
from kbench.errors import SpecError

LAUNCHER = ("LOCAL_RANK", "RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "ROLE_WORLD_SIZE")
"""What torchrun tells a process about its place; who works alone must not see it."""


def processes() -> int:
    """How many processes were started together: what torchrun says, else 1."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this process is the one that writes and speaks."""
    return int(os.environ.get("RANK", "0")) == 0


def check_processes(recipe: TrainRecipe, command: str = "train ...") -> None:
    """Raise SpecError unless the processes that run are those of the recipe; `command` is what follows `kbench`."""
    found, wanted = processes(), recipe.processes
    if found != wanted and wanted > 1:
        raise SpecError(
            f"{wanted} processes were asked for and {found} runs: start them with "
            f"`torchrun --nproc_per_node {wanted} -m kbench.cli {command}`"
        )
    if found != wanted:
        raise SpecError(f"{found} processes run and 1 was asked for: give --processes {found}, or start it once")
    if recipe.fsdp:
        _check_gpus()


def _check_gpus() -> None:
    import torch

    if not torch.cuda.is_available():
        raise SpecError("fsdp shares a model out over GPUs and there is none here: leave fsdp out (--no-fsdp)")


def join() -> None:
    """Meet the other processes: gloo between CPUs, nccl between GPUs. Does nothing where there is only one."""
    if processes() > 1:
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.cuda.is_available())


def wait_for_all() -> None:
    """Go on once every process is here."""
    if processes() > 1:
        import torch.distributed

        torch.distributed.barrier()


def first_says(value: Any) -> Any:
    """The first process's value, in every process: figures that all must act on alike."""
    if processes() == 1:
        return value
    import torch.distributed

    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def part() -> None:
    """Leave the other processes: without it the launcher takes a finished process for one that hangs."""
    if processes() > 1:
        import torch.distributed

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def begin_alone(names: Sequence[str] = LAUNCHER) -> None:
    """Have this process work by itself, whatever started it: for a worker that builds something for all."""
    for name in names:
        os.environ.pop(name, None)
