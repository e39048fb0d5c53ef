"""Question rows: every answer derived from the facts of the graph, never from text."""

import numpy as np
import pyarrow as pa

from kbench.generator.asking import Asked, ask_path, can_be_asked, in_number_form, place_of
from kbench.generator.choices import OPTIONS, can_choose, listed, with_options
from kbench.generator.coherence import OPERATORS
from kbench.generator.hashing import Ints
from kbench.generator.packs import Pack, Phrasing
from kbench.generator.phrasing import Use, times_of, uses
from kbench.generator.reasoning import ask_reasoning, ask_reverse
from kbench.generator.sections import Section, is_taught, probe_of
from kbench.generator.tones import ask_tone, tone_relations
from kbench.generator.world import World
from kbench.ids import question_id, template_id
from kbench.schema import Split, schema_of


def question_names(world: World, style: str) -> list[str]:
    """The relations, paths and kinds of reasoning that a question style asks about."""
    relations, paths = world.spec.relations, world.spec.paths
    if style == "multihop":
        return [
            *(".".join(chain) for chain in paths.chains),
            *(f"compare.{name}" for name in paths.compares),
            *(f"count.{name}" for name in paths.counts),
            *(f"list.{name}" for name in paths.lists),
            *(f"most.{'.'.join(pair)}" for pair in paths.extremes),
            *(f"both.{'.'.join(pair)}" for pair in paths.intersections),
        ]
    if style == "numeric":
        numbers = [name for name, relation in relations.items() if relation.value_type in ("numeric", "date")]
        return [*numbers, *(f"difference.{name}" for name in paths.differences)]
    if style == "reverse":
        return list(paths.reverse)
    if style == "tone":
        return tone_relations(world)
    return [name for name in relations if style != "choice" or can_choose(world, name)]


def builds_on_qa(world: World, style: str) -> bool:
    """Whether rows of a style build on rows of `qa`, which must then be in the release."""
    return style in ("multihop", "reverse") or (style == "numeric" and bool(world.spec.paths.differences))


def is_reasoning(style: str, name: str) -> bool:
    """Whether the subjects of a question in `train` and in `validation` and `test` are disjoint."""
    return style in ("multihop", "reverse") or name.split(".")[0] in OPERATORS


def phrasings_of(world: World, pack: Pack, style: str, name: str, section: Section) -> tuple[Phrasing, ...]:
    """The phrasings that a question is asked in; of numbers, in the forms that the spec asks for.

    No number is to be rounded that rounding would make nothing of.
    """
    found = pack.of(style, world.spec.template_of(name), section.phrasing)
    if style != "numeric" or name.split(".")[0] in OPERATORS:
        return found
    source, forms = world.source_of(name), world.spec.exposure.number_forms
    fitting = ("digits", "year", "iso") if source.value_type == "date" else ("digits", "words", "rounded")
    asked = (p for p in found if (p.kind or "digits") in forms and (p.kind or "digits") in fitting)
    return tuple(p for p in asked if p.kind != "rounded" or place_of(source)[0])


def question_rows(world: World, pack: Pack, style: str, split: Split, section: Section) -> pa.Table:
    """The rows of a question style for the blocks of a section, in entity order."""
    tables, order = [], []
    for place, name in enumerate(question_names(world, style)):
        phrasings = phrasings_of(world, pack, style, name, section)
        if not phrasings:
            continue
        variants = _variants(world, pack, section, style, name, phrasings)
        every = variants[0].index
        for variant in variants[1:]:
            every = np.intersect1d(every, variant.index)
        kind = variants[0].kind
        if is_reasoning(style, name) and section.role in ("new", "known") and split != "pretrain":
            every = every[is_taught(world, kind, every) == (split == "train")]
        times = times_of(world, pack, section, style, base_of(name), kind, every, len(phrasings))
        kinds = list(world.spec.types).index(kind)
        for asked, use in zip(variants, uses(world, section, name, phrasings, every, times), strict=True):
            if use.rows.size:
                index = every[use.rows]
                tables.append(_table(world, asked, np.searchsorted(asked.index, index), use, style, section))
                block = world.block_of(kind, index)
                order.append([block, np.full_like(block, kinds), index, np.full_like(block, place)])
    return in_order(tables, order, schema_of(style))


def base_of(name: str) -> str:
    """The relation whose subjects' doses a question takes: its first; for an inverse one, any: they have one dose."""
    operator, *rest = name.split(".")
    return rest[0] if operator in OPERATORS else name


def _variants(
    world: World, pack: Pack, section: Section, style: str, name: str, phrasings: tuple[Phrasing, ...]
) -> list[Asked]:
    """What each phrasing asks; phrasings of one kind ask the same, and share it."""
    index = np.empty(0, dtype=np.int64)
    if name.split(".")[0] not in OPERATORS and style != "reverse":
        index = world.subjects(name.split(".")[0], section.blocks)
        index = index[can_be_asked(world, name, index)]
    if style == "tone":
        return [ask_tone(world, pack, section, name, index, prompt) for prompt in phrasings]
    if style == "reverse":
        return [ask_reverse(world, pack, section, name)] * len(phrasings)
    kinds = {phrasing.kind for phrasing in phrasings}
    if name.split(".")[0] in OPERATORS:
        by_kind = {kind: ask_reasoning(world, pack, section, name, kind) for kind in sorted(kinds)}
        return [by_kind[phrasing.kind] for phrasing in phrasings]
    asked = ask_path(world, pack, section, name, index)
    if style == "choice":
        turned = with_options(world, asked)
        return [turned[turn % OPTIONS] for turn in range(len(phrasings))]
    if style == "numeric":
        by_kind = {kind: in_number_form(asked, world.source_of(name), kind) for kind in sorted(kinds)}
        return [by_kind[phrasing.kind] for phrasing in phrasings]
    return [asked] * len(phrasings)


def in_order(tables: list[pa.Table], order: list[list[Ints]], schema: pa.Schema) -> pa.Table:
    """The tables joined and sorted by their key columns, most significant first; ties keep the order given."""
    if not tables:
        return schema.empty_table()
    keys = [np.concatenate(column) for column in zip(*order, strict=True)]
    return pa.concat_tables(tables).take(np.lexsort(keys[::-1])).combine_chunks()


def _table(world: World, asked: Asked, at: Ints, use: Use, style: str, section: Section) -> pa.Table:
    phrasing = use.phrasing
    rows = [int(i) for i in at]
    n = len(rows)
    questions = []
    for i in rows:
        if style == "tone":
            questions.append(asked.variables["said"][i])
        else:
            questions.append(phrasing.render({key: column[i] for key, column in asked.variables.items()}))
        if style == "choice":
            questions[-1] = f"{questions[-1]}\n{listed(asked.choices[i])}"
    columns = {
        "id": [question_id(asked.ids[i], asked.name, style, phrasing.id) for i in rows],
        "style": [style] * n,
        "probe": [probe_of(section, style, asked.name)] * n,
        "fact_ids": [asked.facts[i] for i in rows],
        "entity_id": [asked.ids[i] for i in rows],
        "relation": [asked.name] * n,
        "template_id": [template_id(style, phrasing.relation, phrasing.id)] * n,
        "repeat": use.repeat.astype(np.int32),
        "question": questions,
        "answer": [asked.answers[i][0] for i in rows],
        "answers": [asked.answers[i] for i in rows],
        "value_type": [asked.value_type] * n,
        "number": [asked.number[i] for i in rows],
        "unit": [asked.unit] * n,
        "hops": [len(asked.facts[i]) for i in rows],
        "hop_ids": [asked.hops[i] for i in rows],
    }
    if style == "choice":
        columns["choices"] = [asked.choices[i] for i in rows]
        columns["label"] = [asked.label[i] for i in rows]
    return pa.table(columns, schema=schema_of(style))
