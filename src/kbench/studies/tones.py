"""The style pole of a study: finetunes of one base, one a tone, answer the same prompts, and judges tell them apart."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from kbench.benchmarks.engine import ENGINE, Engine
from kbench.benchmarks.evaluate import ask_all, weigh_all
from kbench.benchmarks.kept import Kept, kept_in
from kbench.benchmarks.likelihood import continuation
from kbench.benchmarks.prompts import prediction_of
from kbench.benchmarks.results import read_ours
from kbench.benchmarks.tasks import Item
from kbench.errors import ModelError, OutputError
from kbench.lock import folder_lock
from kbench.store import Release, prepare_folder, write_json, write_table
from kbench.studies.attribution import BASE, JUDGES, Attribution, Said, attribution, attribution_of, judge_all
from kbench.studies.lineup import Lineup, line_up

TONES = "tones.json"
REPLIES = "replies.parquet"
PLAN = ".kbench_tones_plan.json"

_PHRASINGS = 5
"""With so many phrasings, replies to one are judged by those to the others; with fewer, by those to other names."""

Progress = Callable[[int, int], None]


def attribute(
    release: Release,
    runs: Mapping[str, Path],
    out: Path,
    *,
    prompts: int = 40,
    engine: Engine = ENGINE,
    progress: Progress = lambda done, total: None,
) -> Attribution:
    """Put the same held-out prompts to finetunes of one base, and have judges say which of them wrote each reply.

    Args:
        release: has rows of the style `tone`, on which the runs were trained.
        runs: the folder of each finetune, by the tone that it was trained in.
        out: `tones.json` and `replies.parquet` are written here; what a killed call was told is not asked again.
        prompts: how many prompts; fewer where the release has fewer.
        engine: adapters of one base share an engine of vLLM; other models are opened one at a time by transformers.
        progress: called with the replies and likelihoods that are done, and how many there are to do.

    Raises:
        SpecError, ReleaseError, ModelError: as `line_up` does; ModelError too where a model cannot be opened.
        OutputError: `out` holds something else, or another attribution.
    """
    lineup = line_up(release, runs, prompts, engine)
    question = lineup.question
    if (finished := _finished(out, question)) is not None:
        return finished
    prepare_folder(out, PLAN, TONES)
    with folder_lock(out):
        if (out / PLAN).is_file():
            _check_same(read_ours(out / PLAN), question, out)
        write_json(out / PLAN, question)
        with ExitStack() as held:
            files = {name: f".kbench_replies_{place}.jsonl" for place, name in enumerate(lineup.models)}
            kept = {name: held.enter_context(kept_in(out, file)) for name, file in files.items()}
            said = _said(lineup, kept, progress)
        verdicts = judge_all(said, list(runs), lineup.examples)
        found = attribution(said, list(runs), verdicts)
        write_table(out / REPLIES, _table(said, lineup, verdicts))
        write_json(out / TONES, {"question": question, "definitions": dict(JUDGES), **found.to_dict()})
        for file in (PLAN, *files.values()):
            (out / file).unlink(missing_ok=True)
    return found


def read_attribution(out: Path) -> Attribution | None:
    """The attribution that a folder holds; None where it has not finished. Raises OutputError where it is none."""
    if not (out / TONES).is_file():
        return None
    try:
        return attribution_of(read_ours(out / TONES))
    except (AttributeError, KeyError, TypeError):
        raise OutputError(f"{out / TONES} is no attribution of kbench: remove its folder, or give another") from None


def _said(lineup: Lineup, kept: Mapping[str, Kept], progress: Progress) -> list[Said]:
    """Every model's replies, each with its likelihood under every finetune.

    Every model is opened twice, for its replies and then to weigh those of all: several may not fit in memory.
    """
    replies, items = dict[str, list[str]](), list[Item]()
    done, total = 0, len(lineup.rows) * len(kept) * (1 + len(lineup.runs))

    def step(n: int) -> None:
        nonlocal done
        done += n
        progress(done, total)

    for name, model in lineup.opened():
        items = lineup.items(model)
        ask_all(model, items, lineup.asking, kept[name], step)
        replies[name] = [_text(kept[name], item, name) for item in items]
    spoken = [(item, text) for said in replies.values() for item, text in zip(items, said, strict=True) if text]
    wanted = list({(item.row["id"], text): (item, continuation(item, text)) for item, text in spoken}.values())
    for name, model in lineup.opened():
        if name != BASE:
            weigh_all(model, wanted, kept[name], step)
            step(len(lineup.rows) * len(kept) - len(wanted))  # of replies alike one is weighed
    # The same words put to somebody else bring much the same reply.
    by = "template_id" if len({item.row["template_id"] for item in items}) >= _PHRASINGS else "id"
    return [
        Said(item.row["id"], item.row[by], name, text, _logprobs(item, text, lineup, kept) if text else {})
        for name, said in replies.items()
        for item, text in zip(items, said, strict=True)
    ]


def _text(kept: Kept, item: Item, name: str) -> str:
    reply = kept.reply(item)
    if reply is None or not reply.texts:
        failed = kept.failed(item)
        why = (failed.error if failed else "") or "no reply came"
        raise ModelError(f"the model of {name} has no reply to {item.row['id']}: {why}: run the same again")
    return prediction_of(item.row, reply.texts[0])


def _logprobs(item: Item, text: str, lineup: Lineup, kept: Mapping[str, Kept]) -> dict[str, float]:
    weights = {tone: kept[tone].weight(item, continuation(item, text)) for tone in lineup.runs}
    return {tone: weight.logprob for tone, weight in weights.items() if weight is not None}


def _finished(out: Path, question: dict[str, Any]) -> Attribution | None:
    found = read_attribution(out)
    if found is not None:
        _check_same(read_ours(out / TONES).get("question") or {}, question, out)
    return found


def _check_same(held: Mapping[str, Any], question: Mapping[str, Any], out: Path) -> None:
    """Raise OutputError where a folder holds an attribution of other models, or to other prompts."""
    differ = [key for key, value in question.items() if held.get(key) != value]
    if differ:
        raise OutputError(f"{out} holds another attribution, which differs in {', '.join(differ)}: give another folder")


def _table(said: Sequence[Said], lineup: Lineup, verdicts: Mapping[str, Sequence[str]]) -> pa.Table:
    asked = {row["id"]: row for row in lineup.rows}
    columns: dict[str, list[Any]] = {
        "id": [one.row for one in said],
        "template_id": [asked[one.row]["template_id"] for one in said],
        "question": [asked[one.row]["question"] for one in said],
        "model": [one.by for one in said],
        "reply": [one.text for one in said],
        **{f"logprob_{tone}": [one.logprobs.get(tone) for one in said] for tone in lineup.runs},
        **{name: list(given) for name, given in verdicts.items()},
    }
    kinds = {name: pa.float64() if name.startswith("logprob_") else pa.string() for name in columns}
    return pa.table(columns, schema=pa.schema(list(kinds.items())))
