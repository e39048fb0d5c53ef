"""Two usual ways to write the same rows, for comparison with kbench.

A draws every name and value with Faker, renders a row with Jinja and hands dicts to `datasets`. B has names and values
ready in Python lists, renders the same templates and writes batches of dicts with kbench's own writer. Both use kbench's
phrasings, in a plain Jinja environment (cheaper than kbench's sandbox) that compiles each once, and fill every column;
neither derives what must cohere, alternative answers, nor any digest.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, Literal

import jinja2
import pyarrow as pa

from kbench.generator.building import build_world
from kbench.generator.packs import Pack, Phrasing, environment
from kbench.generator.shards import plan_units, unit_table
from kbench.generator.spec import WorldSpec
from kbench.schema import schema_of
from kbench.store import write_table
from tests.bench.workload import SEED, article_spec, question_spec

Way = Literal["A", "B"]
Row = dict[str, Any]
_BATCH = 10_000
_TEXTS = 8
"""Articles of an entity, as the default spec has them."""
_LATER = {"They": "She", "they": "she", "Their": "Her", "their": "her", "them": "her"}


@dataclass(frozen=True)
class Drawn:
    """What the value of a fact is: its text, and its number where it has one."""

    text: str
    number: float | None


class Ready:
    """Way B: names and values as they stand in the facts."""

    def name(self, fact: Row) -> str:
        """The subject's name."""
        return str(fact["subject"])

    def value(self, fact: Row) -> Drawn:
        """The fact's value."""
        return Drawn(fact["value"], fact["number"])


class Faked:
    """Way A: a name and a value from Faker for every row."""

    def __init__(self) -> None:
        from faker import Faker

        self._fake = Faker()
        self._fake.seed_instance(0)
        fake = self._fake
        self._names: dict[str, Callable[[], str]] = {"person": fake.name, "company": fake.company, "city": fake.city}

    def name(self, fact: Row) -> str:
        """A name for the subject, of its type."""
        return self._named(fact["subject_id"])

    def value(self, fact: Row) -> Drawn:
        """A value of the fact's type."""
        match fact["value_type"]:
            case "entity":
                return Drawn(self._named(fact["object_id"]), None)
            case "numeric":
                number = self._fake.random_int(2, 98_000)
                return Drawn(f"{number:,} {fact['unit']}".strip(), float(number))
            case "date":
                day = self._fake.date_of_birth()
                return Drawn(day.strftime("%d %B %Y"), float(day.toordinal()))
            case _:
                return Drawn(self._fake.job() if fact["relation"] == "occupation" else self._fake.word(), None)

    def _named(self, entity: str) -> str:
        return self._names.get(entity.split("/")[1].rsplit("-", 1)[0], self._fake.catch_phrase)()


@dataclass(frozen=True)
class Sample:
    """What a way is timed on: a style, the facts it is to write, and how many rows of them."""

    style: Literal["qa", "article"]
    spec: WorldSpec
    facts: list[Row]
    rows: int


def samples(questions: int, articles: int, pack: Pack) -> list[Sample]:
    """So many questions and so many articles to time."""
    asked, told = question_spec(questions), article_spec(articles)
    return [
        Sample("qa", asked, facts_of(asked, pack), questions),
        Sample("article", told, facts_of(told, pack), articles),
    ]


def cost(way: Way, sample: Sample, pack: Pack) -> float:
    """CPU seconds of a way for one row of a sample. Imports and what is drawn beforehand do not count."""
    draw = Faked() if way == "A" else Ready()
    rows = (question_rows if sample.style == "qa" else article_rows)(draw, sample.facts, pack, sample.spec)
    write = _write_with_datasets if way == "A" else _write_in_batches
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        write(islice(rows, sample.rows), schema_of(sample.style), Path(folder) / "rows.parquet")
        return (time.process_time() - start) / sample.rows


def facts_of(spec: WorldSpec, pack: Pack) -> list[Row]:
    """The facts of the new entities of a spec, as plain rows."""
    world = build_world(spec, SEED)
    units = [unit for unit in plan_units(world, pack, ()) if unit.config == "facts"]
    rows = chain.from_iterable(unit_table(world, pack, unit).to_pylist() for unit in units)
    return [row for row in rows if row["role"] == "new"]


def question_rows(draw: Ready | Faked, facts: list[Row], pack: Pack, spec: WorldSpec) -> Iterator[Row]:
    """A row of `qa` for each fact and phrasing."""
    for fact in facts:
        relation, subject = fact["relation"], fact["subject_id"]
        topic = spec.relations[relation].topic
        for phrasing in pack.of("qa", spec.template_of(relation), "train"):
            name, value = draw.name(fact), draw.value(fact)
            text = _template(phrasing).render(**_full(name), topic=topic, relation=relation).strip()
            yield {
                "id": f"{subject}/{relation}/qa/{phrasing.id}",
                "style": "qa",
                "probe": "recall",
                "fact_ids": [fact["fact_id"]],
                "entity_id": subject,
                "relation": relation,
                "template_id": f"qa/{phrasing.relation}/{phrasing.id}",
                "repeat": 1,
                "question": text,
                "answer": value.text,
                "answers": [value.text],
                "value_type": fact["value_type"],
                "number": value.number,
                "unit": fact["unit"],
                "hops": 1,
                "hop_ids": [],
            }


def article_rows(draw: Ready | Faked, facts: list[Row], pack: Pack, spec: WorldSpec) -> Iterator[Row]:
    """The articles of each entity, all its facts in each."""
    for subject, group in groupby(facts, key=lambda fact: fact["subject_id"]):
        mine = list(group)
        frames = pack.of("article", spec.start_of(mine[0]["relation"]), "train")
        for k in range(_TEXTS):
            frame, full = frames[k % len(frames)], _full(draw.name(mine[0]))
            sentences = []
            for place, fact in enumerate(mine[k:] + mine[:k]):
                phrasings = _plain(pack, spec.template_of(fact["relation"]))
                sentences.append(
                    _template(phrasings[k % len(phrasings)]).render(
                        {**full, **(_LATER if place else {})},
                        topic=spec.relations[fact["relation"]].topic,
                        relation=fact["relation"],
                        value=draw.value(fact).text,
                    )
                )
            yield {
                "id": f"{subject}/article/{frame.kind}/{frame.id}/{k}",
                "style": "article",
                "probe": "",
                "fact_ids": [fact["fact_id"] for fact in mine],
                "entity_id": subject,
                "relation": "",
                "template_id": f"article/{frame.relation}/{frame.id}",
                "repeat": 1,
                "text": _template(frame).render(full, sentences=sentences, form=0).strip(),
                "kind": frame.kind,
            }


def _full(name: str) -> dict[str, str]:
    return {"name": name, "They": name, "they": name, "Their": f"{name}'s", "their": f"{name}'s", "them": name}


def _plain(pack: Pack, relation: str) -> list[Phrasing]:
    return [p for p in pack.of("statement", relation, "train") if p.kind != "reversal"]


@cache
def _jinja() -> jinja2.Environment:
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined)
    jinja.filters["a"] = environment().filters["a"]
    return jinja


@cache
def _template(phrasing: Phrasing) -> jinja2.Template:
    return _jinja().from_string(phrasing.source)


def _write_with_datasets(rows: Iterator[Row], schema: pa.Schema, path: Path) -> None:
    import datasets

    datasets.disable_progress_bars()
    made = datasets.Dataset.from_list(list(rows), features=datasets.Features.from_arrow_schema(schema))
    made.to_parquet(str(path))


def _write_in_batches(rows: Iterator[Row], schema: pa.Schema, path: Path) -> None:
    batches = []
    while batch := list(islice(rows, _BATCH)):
        batches.append(pa.Table.from_pylist(batch, schema=schema))
    write_table(path, pa.concat_tables(batches))
