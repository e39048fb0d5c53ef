"""Question rows: every answer derived from the facts of the graph, never from text."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kbench.generator.hashing import Ints
from kbench.generator.packs import Pack
from kbench.generator.phrasing import Use, first_phrasing, uses
from kbench.generator.sections import REASONING_STYLES, Section, is_taught
from kbench.generator.world import Values, World
from kbench.ids import fact_id, question_id, template_id
from kbench.schema import QUESTION_SCHEMA, Split


@dataclass(frozen=True)
class Asked:
    """A relation or path asked of a column of subjects: names, ids, the answer, and the facts it takes."""

    name: str
    kind: str
    index: Ints
    ids: list[str]
    names: list[str]
    values: Values
    value_type: str
    unit: str
    facts: list[list[str]]
    hops: list[list[str]]


def question_names(world: World, style: str) -> list[str]:
    """The relations or paths that a question style asks about."""
    if style == "multihop":
        return [".".join(chain) for chain in world.spec.paths.chains]
    relations = world.spec.relations.items()
    return [name for name, r in relations if style != "numeric" or r.value_type in ("numeric", "date")]


def question_rows(world: World, pack: Pack, style: str, split: Split, section: Section) -> pa.Table:
    """The rows of a question style for the blocks of a section, in entity order."""
    tables, order = [], []
    for place, name in enumerate(question_names(world, style)):
        phrasings = pack.of(style, name, section.phrasing)
        kind = world.spec.start_of(name)
        index = world.members(kind, section.blocks)
        if style in REASONING_STYLES and section.role in ("new", "known") and split != "pretrain":
            index = index[is_taught(world, style, name, index) == (split == "train")]
        index = index[~_comes_back(world, name, index)]
        if not phrasings or not index.size:
            continue
        asked = ask(world, pack, name, index, section)
        kinds = list(world.spec.types).index(kind)
        for use in uses(world, section, phrasings, kind, index):
            if use.rows.size:
                tables.append(_table(asked, use, style, section))
                block = world.block_of(kind, index)[use.rows]
                order.append([block, np.full_like(block, kinds), index[use.rows], np.full_like(block, place)])
    return in_order(tables, order, QUESTION_SCHEMA)


def in_order(tables: list[pa.Table], order: list[list[Ints]], schema: pa.Schema) -> pa.Table:
    """The tables joined and sorted by their key columns, most significant first; ties keep the order given."""
    if not tables:
        return schema.empty_table()
    keys = [np.concatenate(column) for column in zip(*order, strict=True)]
    return pa.concat_tables(tables).take(np.lexsort(keys[::-1])).combine_chunks()


def ask(world: World, pack: Pack, name: str, index: Ints, section: Section) -> Asked:
    """Follow a relation or a path from each subject: the last value is the answer, each step is a fact."""
    chain = name.split(".")
    here, kind = index, world.spec.start_of(name)
    ids = world.ids(kind, index)
    facts: list[list[str]] = [[] for _ in ids]
    hops: list[list[str]] = [[] for _ in ids]
    for step in chain:
        relation = world.spec.relations[step]
        kind = relation.subject
        subjects = world.ids(kind, here)
        asked = _first_question(world, pack, step, here, section) if len(chain) > 1 else []
        for i, subject in enumerate(subjects):
            facts[i].append(fact_id(subject, step))
            if asked:
                hops[i].append(question_id(subject, step, "qa", asked[i]))
        values = world.values(step, here)
        here = values.object
    start = world.spec.start_of(name)
    names = world.names(start, index)
    return Asked(name, start, index, ids, names, values, relation.value_type, relation.unit, facts, hops)


def _comes_back(world: World, path: str, index: Ints) -> NDArray[np.bool_]:
    """Which subjects a path leads back to: a mayor asked for the mayor of the home city would be the own answer."""
    here = index
    for step in path.split("."):
        relation = world.spec.relations[step]
        here = world.objects(step, here) if relation.value_type == "entity" else np.full_like(here, -1)
    returned: NDArray[np.bool_] = (here == index) & (relation.object == world.spec.start_of(path))
    return returned


def _first_question(world: World, pack: Pack, step: str, index: Ints, section: Section) -> list[str]:
    phrasings = pack.of("qa", step, section.phrasing)
    start = first_phrasing(world, "qa", step, section.phrasing, index, len(phrasings))
    return [phrasings[int(i)].id for i in start]


def _table(asked: Asked, use: Use, style: str, section: Section) -> pa.Table:
    rows, phrasing = [int(i) for i in use.rows], use.phrasing
    n = len(rows)
    answers = [_answers(asked, i, style) for i in rows]
    columns = {
        "id": [question_id(asked.ids[i], asked.name, style, phrasing.id) for i in rows],
        "style": [style] * n,
        "probe": [section.probe] * n,
        "fact_ids": [asked.facts[i] for i in rows],
        "entity_id": [asked.ids[i] for i in rows],
        "relation": [asked.name] * n,
        "template_id": [template_id(style, asked.name, phrasing.id)] * n,
        "repeat": use.repeat.astype(np.int32),
        "question": [phrasing.render({"name": asked.names[i]}) for i in rows],
        "answer": [found[0] for found in answers],
        "answers": answers,
        "value_type": [asked.value_type] * n,
        "number": [asked.values.number[i] for i in rows],
        "unit": [asked.unit] * n,
        "hops": [len(asked.facts[i]) for i in rows],
        "hop_ids": [asked.hops[i] for i in rows],
    }
    return pa.table(columns, schema=QUESTION_SCHEMA)


def _answers(asked: Asked, i: int, style: str) -> list[str]:
    text, number = asked.values.text[i], asked.values.number[i]
    if not asked.unit or number is None:
        return [text]
    bare = text.removesuffix(f" {asked.unit}")
    return [bare, text] if style == "numeric" else [text, bare]
