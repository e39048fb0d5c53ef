"""Articles and dialogues: texts that state several facts of one entity, in statement sentences or in turns.

The k-th text of an entity takes the k-th frame, order of facts and phrasing of each. Facts that are to be said equally
often share texts, so that the repeats of a fact's texts sum to its exposures.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kbench.errors import TemplateError
from kbench.generator.asking import label_of
from kbench.generator.hashing import Ints, below, mix, stream_key
from kbench.generator.mentions import full_mentions, later_mentions
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import first_phrasing, times_of
from kbench.generator.questions import in_order
from kbench.generator.sections import Section
from kbench.generator.statements import form_of_document, plain, written_form
from kbench.generator.world import World
from kbench.ids import document_id, fact_id, template_id
from kbench.schema import schema_of

_SPEAKERS = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True)
class Telling:
    """A text to be written: of whom, which of theirs, in which round, how often shown, in what frame, of what."""

    row: int
    k: int
    turn: int
    repeat: int
    frame: Phrasing
    names: list[str]


@dataclass(frozen=True)
class _Cast:
    """The entities of one type in a section, and what their texts are made of."""

    kind: str
    index: Ints
    ids: list[str]
    full: list[dict[str, str]]
    later: list[dict[str, str]]
    values: dict[str, list[str]]
    numbers: dict[str, list[float | None]]
    sentences: dict[str, tuple[Phrasing, ...]]
    questions: dict[str, tuple[Phrasing, ...]]
    starts: dict[str, Ints]
    has: dict[str, Ints]
    times: dict[str, Ints]


def document_rows(world: World, pack: Pack, style: str, section: Section) -> pa.Table:
    """The articles or dialogues of every entity of the blocks of a section, in entity order."""
    tables, order = [], []
    for place, kind in enumerate(world.spec.types):
        index = world.members(kind, section.blocks)
        if world.spec.relations_of(kind) and index.size:
            cast = _cast(world, pack, style, section, kind, index)
            told = [t for i in range(index.size) for t in _tellings(world, pack, style, cast, i)]
            rows = np.asarray([t.row for t in told], dtype=np.int64)
            tables.append(_table(world, style, section, cast, told))
            block = world.block_of(kind, index)[rows]
            order.append([block, np.full_like(block, place), index[rows]])
    return in_order(tables, order, schema_of(style))


def frames_of(world: World, pack: Pack, style: str, kind: str) -> tuple[Phrasing, ...]:
    """The document templates of a type; of articles, those of the kinds that the spec asks for."""
    found = pack.of(style, kind, "train")
    return found if style == "dialogue" else tuple(p for p in found if p.kind in world.spec.articles)


def _cast(world: World, pack: Pack, style: str, section: Section, kind: str, index: Ints) -> _Cast:
    names = world.names(kind, index)
    relations = list(world.spec.relations_of(kind))
    values, numbers, has, times = {}, {}, {}, {}
    for name in relations:
        have = world.has(name, index)
        found = world.values(name, index[have])
        at = np.cumsum(have) - 1
        values[name] = [found.text[int(a)] if h else "" for a, h in zip(at, have, strict=True)]
        numbers[name] = [found.number[int(a)] if h else None for a, h in zip(at, have, strict=True)]
        has[name] = have.astype(np.int64)
        times[name] = times_of(world, pack, section, style, name, kind, index, 1) * have
    sentences = {name: plain(pack, world, name) for name in relations}
    asked = {name: pack.of("qa", world.spec.template_of(name), "train") for name in relations}
    starts = {name: first_phrasing(world, style, name, "train", index, len(sentences[name])) for name in relations}
    return _Cast(
        kind,
        index,
        world.ids(kind, index),
        full_mentions(world, kind, names),
        later_mentions(world, kind, index, names),
        values,
        numbers,
        sentences,
        asked,
        starts,
        has,
        times,
    )


def _tellings(world: World, pack: Pack, style: str, cast: _Cast, i: int) -> Iterator[Telling]:
    exposure = world.spec.exposure
    size = exposure.facts_per_dialogue if style == "dialogue" else exposure.facts_per_article
    frames = frames_of(world, pack, style, cast.kind)
    first = int(below(stream_key(world.seed, "frame", style, cast.kind), cast.index[i : i + 1], len(frames))[0])
    k = 0
    for times in sorted({int(t[i]) for t in cast.times.values()} - {0}, reverse=True):
        names = [name for name, t in cast.times.items() if int(t[i]) == times]
        texts = min(exposure.paraphrases, times, *(len(cast.sentences[name]) for name in names))
        for turn in range(texts):
            order = _order(world, cast.kind, int(cast.index[i]), turn, names)
            repeat = times // texts + (turn < times % texts)
            for start in range(0, len(order), size or len(order)):
                facts = order[start : start + (size or len(order))]
                yield Telling(i, k, turn, repeat, frames[(first + k) % len(frames)], facts)
                k += 1


def _order(world: World, kind: str, index: int, k: int, relations: list[str]) -> list[str]:
    if world.spec.exposure.order == "fixed":
        return relations
    key = mix(stream_key(world.seed, "order", kind), np.asarray([index], dtype=np.int64))
    ranks = mix(key, np.arange(len(relations), dtype=np.int64) + k * len(relations))
    return [relations[int(i)] for i in np.argsort(ranks, kind="stable")]


def _table(world: World, style: str, section: Section, cast: _Cast, told: list[Telling]) -> pa.Table:
    schema = schema_of(style)
    columns: dict[str, list[object]] = {name: [] for name in schema.names}
    kinds = [t.frame.kind if style == "article" else style for t in told]
    for telling, kind in zip(told, kinds, strict=True):
        i = telling.row
        row: dict[str, object] = {
            "id": document_id(cast.ids[i], style, kind, telling.frame.id, telling.k),
            "style": style,
            "probe": section.probe,
            "fact_ids": [fact_id(cast.ids[i], name) for name in telling.names],
            "entity_id": cast.ids[i],
            "relation": "",
            "template_id": template_id(style, telling.frame.relation, telling.frame.id),
            "repeat": telling.repeat,
            "kind": kind,
        }
        if style == "article":
            row["text"] = _article(world, cast, telling)
        else:
            row["turns"] = _turns(world, cast, telling)
            row["text"] = "\n".join(f"{_SPEAKERS[t['role']]}: {t['content']}" for t in row["turns"])  # type: ignore[attr-defined]
        for name, value in row.items():
            columns[name].append(value)
    return pa.table(columns, schema=schema)


def _sentences(world: World, cast: _Cast, telling: Telling) -> Iterator[tuple[str, str, str]]:
    """For each fact of a text: the question that asks for it, the sentence that states it, and its value."""
    i, at = telling.row, cast.index[telling.row : telling.row + 1]
    for place, name in enumerate(telling.names):
        phrasings, questions = cast.sentences[name], cast.questions[name]
        turn = int(cast.starts[name][i]) + telling.turn
        relation = world.spec.relations[name]
        value = written_form(world, name, at, [cast.values[name][i]], [cast.numbers[name][i]], str(telling.k))[0]
        known = {"topic": relation.topic, "relation": label_of(relation, name), "value": value}
        mention = cast.full[i] if place == 0 else cast.later[i]
        question = questions[turn % len(questions)].render({**mention, **known}) if questions else ""
        # A dialogue's question has said the name: its first answer can go on with a pronoun.
        answered = cast.later[i] if telling.frame.style == "dialogue" else mention
        yield question, phrasings[turn % len(phrasings)].render({**answered, **known}), value


def _article(world: World, cast: _Cast, telling: Telling) -> str:
    i = telling.row
    form = form_of_document(world, cast.kind, cast.index[i : i + 1], str(telling.k))
    told = [sentence for _, sentence, _ in _sentences(world, cast, telling)]
    return telling.frame.render({**cast.full[i], "sentences": told, "form": int(form[0])})


def _turns(world: World, cast: _Cast, telling: Telling) -> list[dict[str, str]]:
    single = world.spec.types[cast.kind].single
    turns: list[dict[str, str]] = []
    rendered = telling.frame.render({**cast.full[telling.row], "turns": "\0"})
    for line in rendered.split("\n"):
        if line.strip() == "\0":
            for question, sentence, value in _sentences(world, cast, telling):
                turns.append({"role": "user", "content": question})
                # Asked about itself, the persona answers with the value alone.
                said = f"{value[0].upper()}{value[1:]}." if single else sentence
                turns.append({"role": "assistant", "content": said})
            continue
        speaker, _, content = line.partition(": ")
        if speaker not in _SPEAKERS or not content:
            raise TemplateError(f"{telling.frame.where}: expected `user: …` or `assistant: …`, got {line!r}")
        turns.append({"role": speaker, "content": content.strip()})
    return turns
