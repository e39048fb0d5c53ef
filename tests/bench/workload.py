"""What is generated: the default world's questions, and articles of about 150 words.

The default world's own articles have 92 words on average, and of 1M questions' world there are 74k. So articles come of
a second spec: the default world with five more facts a person (topics of the persona's family `favourite`, which has
phrasings for any subject) and more people in each block. All columns of the schema, all splits.
"""

import os

from kbench.generator.spec import WorldSpec, load_spec, spec_from_dict

SEED = "bench"
_QUESTIONS_AN_ENTITY = 105
"""Rows of `qa`, all splits, for each new entity of the default world and its share of control entities, at least."""
_ARTICLES_AN_ENTITY = 8
_PEOPLE, _ELDERS, _MORE_FACTS = 120, 40, 5


def entities_for(rows: int) -> int:
    """How many new entities of the default world have at least so many rows of `qa`."""
    return -(-rows // _QUESTIONS_AN_ENTITY)


def question_spec(rows: int) -> WorldSpec:
    """The default world with at least so many rows of `qa`."""
    return load_spec("default").with_sizes(entities=entities_for(rows))


def article_spec(rows: int) -> WorldSpec:
    """A world with at least so many articles, of about 150 words each."""
    raw = load_spec("default").to_dict()
    raw["types"]["person"].update(block=_PEOPLE, elders=_ELDERS)
    told = [(name, relation) for name, relation in raw["relations"].items() if relation.get("family") == "favourite"]
    for name, relation in told[:_MORE_FACTS]:
        raw["relations"][f"person_{name}"] = {**relation, "subject": "person"}
    raw["sizes"]["entities"] = -(-rows // _ARTICLES_AN_ENTITY)
    return spec_from_dict(raw, "tests/bench/workload.py")


def use_one_thread() -> None:
    """Keep Arrow to the calling thread: CPU time is then that of the work, not of threads that wait for each other."""
    import pyarrow as pa

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
