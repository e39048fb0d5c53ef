"""What a training is given beside its recipe: nothing here changes the weights, so none of it is the run's identity."""

from dataclasses import dataclass

from kbench.errors import SpecError


@dataclass(frozen=True)
class Settings:
    """Steps between checkpoints, where figures are reported (as `report_to` of transformers), whether code may run.

    `trust_remote_code` lets a model bring Python code of its own, which then runs with all your rights.
    """

    save_steps: int = 1000
    report_to: str = "none"
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if self.save_steps < 1:
            raise SpecError(f"save steps must be at least 1 (got {self.save_steps})")


PLAIN = Settings()
