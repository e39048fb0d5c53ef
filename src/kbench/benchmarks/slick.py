"""SliCK: how well a model knows a fact, from many few-shot prompts, greedy and sampled (Gekhman et al., 2405.05904)."""

import re
from dataclasses import dataclass

from kbench.benchmarks.models.protocol import Decoding
from kbench.benchmarks.recipe import Label
from kbench.errors import SpecError

DEFAULT_PROBE = "slick-k4-g10-s16-t0.5-topk40"

PROBE = "probe:"
"""What stands before the name of a probe, in place of a folder of labels, where a grid makes them."""
_FORM = re.compile(r"slick-k(\d{1,2})-g(\d{1,3})-s(\d{1,3})-t(\d\.\d{1,2})-topk(\d{1,4})")


@dataclass(frozen=True)
class Slick:
    """A probe, named by all that its labels depend on beside the model: `slick-k4-g10-s16-t0.5-topk40`.

    `shots` exemplars of the same relation in each of `prompts` prompts; each is answered once greedily and `samples`
    times at `temperature` from the `top_k` likeliest tokens; exact match judges. Without exemplars (`k0`) all prompts
    are the same, so there is one.
    """

    shots: int = 4
    prompts: int = 10
    samples: int = 16
    temperature: float = 0.5
    top_k: int = 40

    @property
    def name(self) -> str:
        """The probe's name."""
        return f"slick-k{self.shots}-g{self.prompts}-s{self.samples}-t{self.temperature:g}-topk{self.top_k}"

    def greedy(self, max_tokens: int) -> Decoding:
        """How the greedy answers are made."""
        return Decoding(max_tokens)

    def sampled(self, max_tokens: int) -> Decoding:
        """How the sampled answers are made."""
        return Decoding(max_tokens, self.temperature, self.top_k, self.samples)


def read_probe(name: str) -> Slick:
    """The probe of a name. Raises SpecError of one line where it is none."""
    found = _FORM.fullmatch(name)
    if found is None:
        raise SpecError(f"no probe {name!r}: expected a name such as {DEFAULT_PROBE}, or slick-k0-g1-s16-t0.5-topk40")
    probe = Slick(int(found[1]), int(found[2]), int(found[3]), float(found[4]), int(found[5]))
    if probe.prompts < 1 or probe.samples < 1 or probe.temperature <= 0 or probe.top_k < 1:
        raise SpecError(f"the probe {name!r} asks nothing: prompts, samples, temperature and topk must be above 0")
    if probe.shots == 0 and probe.prompts != 1:
        raise SpecError(f"the probe {name!r} has no exemplars, so its {probe.prompts} prompts are one: say g1")
    return probe


def label_of(greedy: tuple[int, int], sampled: tuple[int, int]) -> Label:
    """A fact's category from how many answers were right, and how many there were: greedy ones, then sampled ones.

    HighlyKnown: greedily always right; MaybeKnown: sometimes; WeaklyKnown: never, but some sample is; Unknown: never.
    """
    right, asked = greedy
    if right == asked:
        return "HighlyKnown"
    if right:
        return "MaybeKnown"
    return "WeaklyKnown" if sampled[0] else "Unknown"
