"""How much of a model's attention the subject of a question gets when the answer is about to be said."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

from kbench.benchmarks.models.hf import HfModel
from kbench.benchmarks.models.looking import attention_at_end
from kbench.benchmarks.naming import named_tokens
from kbench.benchmarks.tasks import Item


@dataclass(frozen=True)
class Attended:
    """The share of attention that goes from the last token of a prompt to those of its subject.

    `layers` has it for each layer, the mean over its heads; `even` is the share that attention spread evenly over the
    prompt would pay: the subject's tokens by all tokens.
    """

    layers: tuple[float, ...]
    even: float

    @property
    def total(self) -> float:
        """The sum over layers: which of them listens to the subject differs from one training to the next."""
        return sum(self.layers)

    @property
    def even_total(self) -> float:
        """What `total` would be were attention spread evenly in every layer."""
        return self.even * len(self.layers)


def subject_attention(model: HfModel, items: Sequence[Item], names: Sequence[str]) -> list[Attended | None]:
    """Read of the model's own attention weights how much each question's subject gets; `names` are the subjects'.

    None where a prompt does not name its subject: how many these are is the caller's to say.

    Raises ModelError where the model gives no attention weights.
    """
    asked = named_tokens(model.tokenizer, items, names)
    named = [bool(places) for _, places in asked]
    paid = iter(attention_at_end(model, [tokens for tokens, _ in compress(asked, named)]) if any(named) else ())
    found: list[Attended | None] = []
    for tokens, places in asked:
        if not places:
            found.append(None)
            continue
        layers = next(paid)[:, places].sum(1).tolist()
        found.append(Attended(tuple(layers), len(places) / len(tokens)))
    return found
