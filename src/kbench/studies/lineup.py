"""A line-up: finetunes of one base, one a tone, and the held-out prompts that are put to all of them alike."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from kbench import __version__
from kbench.benchmarks.asking import Asking
from kbench.benchmarks.engine import Engine
from kbench.benchmarks.models.adapter_files import is_adapter
from kbench.benchmarks.models.open import asked_by, open_model, without_adapter
from kbench.benchmarks.models.protocol import Decoding, Model
from kbench.benchmarks.prompting import Prompting, open_prompter
from kbench.benchmarks.results import RUN, base_of, model_digests, settings_digest
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError, ReleaseError, SpecError
from kbench.ids import digest_of
from kbench.store import Release
from kbench.studies.attribution import BASE

STYLE = "tone"

TOKENS = 96
"""The longest reply, in tokens: one of the built-in templates has half as many words."""

_SPLITS = ("control", "test")
"""Where prompts are from: to people whom no training named, else to those that one of the finetunes was trained on.

A name that one of them has read and the others have not might tell them apart.
"""


@dataclass(frozen=True)
class Lineup:
    """The finetunes by their tones, their common base where it is known, the rows that are asked, and by what engine.

    `rows` bring their split. `examples` are the release's own replies in each tone.
    """

    release: Release
    runs: Mapping[str, Path]
    base: str | None
    rows: Sequence[dict[str, Any]]
    examples: Mapping[str, Sequence[str]]
    chat: bool
    engine: Engine

    @property
    def models(self) -> dict[str, str]:
        """Each model's folder by its tone, and the base's, where there is one."""
        tuned = {tone: str(path) for tone, path in self.runs.items()}
        return {**tuned, BASE: self.base} if self.base else tuned

    @property
    def asking(self) -> Asking:
        """How all are asked: greedily, which is the same on every machine."""
        return Asking(prompting=Prompting(chat=self.chat), decoding=Decoding(max_tokens=TOKENS))

    @property
    def question(self) -> dict[str, Any]:
        """What makes two attributions the same, by the digests of all that takes part."""
        return {
            "version": __version__,
            "release": self.release.digest,
            "models": {tone: self._digests(name) for tone, name in self.models.items()},
            "prompts": [row["id"] for row in self.rows],
            "chat": self.chat,
            "engine": self._asked_by,
        }

    def items(self, model: Model) -> list[Item]:
        """The prompts as a model reads them: the same for all, which share their base's tokenizer and chat template."""
        prompter = open_prompter(self.release, self.rows, self.asking.prompting, model.chat)
        shown = [prompter.shown(row) for row in self.rows]
        return [Item(row, row["split"], one.prompt, one.messages) for row, one in zip(self.rows, shown, strict=True)]

    def opened(self) -> Iterator[tuple[str, Model]]:
        """The models one after the other; only one is in memory, unless they are adapters in one engine of vLLM.

        Raises ModelError where one cannot be opened, or an adapter is not applied: it would pass for its base.
        """
        adapters = [path for path in self.runs.values() if is_adapter(path)]
        if self.base and len(adapters) == len(self.runs) and self._asked_by.startswith("vllm"):
            together = import_module("kbench.benchmarks.models.vllm").open_vllm_adapters(
                self.base, adapters, trust_remote_code=self.engine.trust_remote_code
            )
            yield from ((name, self._proven(name, together[self.runs.get(name)])) for name in self.models)
            return
        # An engine of vLLM keeps its memory as long as its process lives: there is no second one in it.
        engine = replace(self.engine, backend="hf")
        for name, path in self.models.items():
            below = self.base if name != BASE and is_adapter(Path(path)) else None
            model = open_model(path, self.release, engine, base=below, chat=self.chat)
            yield name, self._proven(name, model)

    def _proven(self, name: str, model: Model) -> Model:
        untuned = without_adapter(model) if name != BASE else None
        if untuned is not None and self.base:
            from kbench.benchmarks.models.adapter_truth import adapter_truth

            remote = self.engine.trust_remote_code
            adapter_truth(model, untuned, self.runs[name], self.base, self.items(model), trust_remote_code=remote)
        return model

    @property
    def _asked_by(self) -> str:
        return asked_by(str(next(iter(self.runs.values()))), self.engine)

    def _digests(self, model: str) -> dict[str, str]:
        digests = model_digests(Path(model), None if model == self.base else self.base)
        return {**digests, "settings": settings_digest(Path(model))}


def line_up(release: Release, runs: Mapping[str, Path], prompts: int, engine: Engine) -> Lineup:
    """Choose the prompts for finetunes of one base.

    Raises:
        SpecError: there are fewer than two finetunes, or fewer than two prompts are wanted.
        ReleaseError: the release has too few held-out prompts, or no example of one of the tones.
        ModelError: the finetunes are not of one base, or not all were trained in chats that some were trained in.
    """
    if len(runs) < 2:
        raise SpecError(f"replies are attributed among at least 2 models (got {', '.join(runs) or 'none'}): train more")
    if prompts < 2:
        raise SpecError(f"prompts must be at least 2, to judge replies to one by those to the others (got {prompts})")
    return Lineup(
        release, dict(runs), _base_of(runs), _prompts(release, prompts), _examples(release, runs), _chat(runs), engine
    )


def _prompts(release: Release, most: int) -> list[dict[str, Any]]:
    """The prompts, of all phrasings about as many."""
    split = next((split for split in _SPLITS if split in release.splits(STYLE)), None)
    rows = release.table(STYLE, split).to_pylist() if split else []
    if len(rows) < 2:
        raise ReleaseError(
            f"the release {release.path} has {len(rows)} held-out prompts in style {STYLE}, and 2 are needed: "
            f"generate it with --style {STYLE} from a spec with a tone relation"
        )
    rows.sort(key=lambda row: digest_of("prompt", row["id"]))
    times, turns = Counter[str](), list[int]()
    for row in rows:
        turns.append(times[row["template_id"]])
        times[row["template_id"]] += 1
    chosen = sorted(range(len(rows)), key=lambda place: (turns[place], place))[:most]
    return [{**rows[place], "split": split} for place in chosen]


def _examples(release: Release, tones: Mapping[str, Path]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {tone: [] for tone in tones}
    for row in release.table(STYLE, "train").to_pylist():
        if row["answers"][-1] in found:
            found[row["answers"][-1]].append(row["answer"])
    if missing := [tone for tone, replies in found.items() if not replies]:
        raise ReleaseError(f"the release {release.path} has no reply in tone {missing[0]!r}: name runs by tones")
    return found


def _base_of(runs: Mapping[str, Path]) -> str | None:
    bases = {str(base_of(str(path)) or "") for path in runs.values()}
    if len(bases) > 1:
        shown = ", ".join(sorted(base or "an unknown one" for base in bases))
        raise ModelError(f"finetunes of one base are told apart, and these have several ({shown}): train all from one")
    return next(iter(bases)) or None


def _chat(runs: Mapping[str, Path]) -> bool:
    """Whether the runs were trained in chats, and so are asked in them."""
    files = [path / RUN for path in runs.values() if (path / RUN).is_file()]
    chats = {bool(json.loads(file.read_text(encoding="utf-8"))["recipe"]["chat"]) for file in files}
    if len(chats) > 1:
        raise ModelError("some of the finetunes were trained in chats and some were not: train all in one way")
    return True in chats
