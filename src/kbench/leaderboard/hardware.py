"""What a training ran on, in a few words."""

import platform


def hardware(threads: int) -> str:
    """The accelerator there is, else the processor's kind and how many threads were used of it."""
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{threads} thread{'s' * (threads != 1)} of a processor of the kind {platform.machine()}"
