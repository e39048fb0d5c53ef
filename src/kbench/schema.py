"""The data contract: styles, splits, roles, probes, and the Arrow schema of every table in a release."""

from collections.abc import Mapping
from typing import Literal, get_args

import pyarrow as pa

Role = Literal["new", "control", "background", "known"]
Split = Literal["pretrain", "train", "validation", "test", "control"]
Kind = Literal["encyclopedia", "news", "blog", "corporate", "social"]
ValueType = Literal["categorical", "numeric", "date", "entity", "tone"]
Style = Literal["qa", "dialogue", "article", "statement", "cloze", "numeric", "multihop", "reverse", "choice", "tone"]
Probe = Literal[
    "",
    "recall",
    "paraphrase",
    "cross_style",
    "reverse",
    "multihop",
    "compare",
    "aggregate",
    "choice",
    "known",
    "control",
]
Status = Literal["scored", "unscored", "error"]

ROLES: tuple[Role, ...] = get_args(Role)
SPLITS: tuple[Split, ...] = get_args(Split)
STYLES: tuple[Style, ...] = get_args(Style)
DOCUMENT_STYLES: frozenset[str] = frozenset({"dialogue", "article", "statement"})
REASONING: Mapping[str, Probe] = {
    "compare": "compare",
    "difference": "compare",
    "count": "aggregate",
    "list": "aggregate",
    "most": "aggregate",
    "both": "aggregate",
}
"""What opens the `relation` of a reasoning question that is no chain (`compare.height`), and the probe it is."""

QUESTION_STYLES: frozenset[str] = frozenset(STYLES) - DOCUMENT_STYLES

_TEXT, _TEXTS = pa.string(), pa.list_(pa.field("element", pa.string()))

_ROW = [
    pa.field("id", _TEXT),
    pa.field("style", _TEXT),
    pa.field("probe", _TEXT),
    pa.field("fact_ids", _TEXTS),
    pa.field("entity_id", _TEXT),
    pa.field("relation", _TEXT),
    pa.field("template_id", _TEXT),
    pa.field("repeat", pa.int32()),
]

QUESTION_SCHEMA = pa.schema(
    [
        *_ROW,
        pa.field("question", _TEXT),
        pa.field("answer", _TEXT),
        pa.field("answers", _TEXTS),
        pa.field("value_type", _TEXT),
        pa.field("number", pa.float64()),
        pa.field("unit", _TEXT),
        pa.field("hops", pa.int8()),
        pa.field("hop_ids", _TEXTS),
    ]
)
CHOICE_SCHEMA = pa.schema([*QUESTION_SCHEMA, pa.field("choices", _TEXTS), pa.field("label", pa.int8())])
DOCUMENT_SCHEMA = pa.schema([*_ROW, pa.field("text", _TEXT), pa.field("kind", _TEXT)])
_TURN = pa.struct([pa.field("role", _TEXT), pa.field("content", _TEXT)])
DIALOGUE_SCHEMA = pa.schema([*DOCUMENT_SCHEMA, pa.field("turns", pa.list_(pa.field("element", _TURN)))])
FACT_SCHEMA = pa.schema(
    [
        pa.field("fact_id", _TEXT),
        pa.field("subject_id", _TEXT),
        pa.field("subject", _TEXT),
        pa.field("relation", _TEXT),
        pa.field("value_type", _TEXT),
        pa.field("value", _TEXT),
        pa.field("number", pa.float64()),
        pa.field("unit", _TEXT),
        pa.field("object_id", _TEXT),
        pa.field("exposures", pa.int32()),
        pa.field("role", _TEXT),
    ]
)
ENTITY_SCHEMA = pa.schema(
    [
        pa.field("entity_id", _TEXT),
        pa.field("type", _TEXT),
        pa.field("name", _TEXT),
        pa.field("popularity", pa.int32()),
        pa.field("block", pa.int64()),
        pa.field("role", _TEXT),
    ]
)
SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("id", _TEXT),
        pa.field("style", _TEXT),
        pa.field("probe", _TEXT),
        pa.field("split", _TEXT),
        pa.field("entity_id", _TEXT),
        pa.field("relation", _TEXT),
        pa.field("value_type", _TEXT),
        pa.field("fact_ids", _TEXTS),
        pa.field("hop_ids", _TEXTS),
        pa.field("prompt", _TEXT),
        pa.field("prediction", _TEXT),
        pa.field("answers", _TEXTS),
        pa.field("correct", pa.bool_()),
        pa.field("score", pa.float64()),
        pa.field("status", _TEXT),
        pa.field("template_id", _TEXT),
        pa.field("token_f1", pa.float64()),
        pa.field("set_f1", pa.float64()),
        pa.field("number_match", pa.float64()),
        pa.field("date_match", pa.float64()),
        pa.field("contains_match", pa.float64()),
        pa.field("acc", pa.float64()),
        pa.field("acc_norm", pa.float64()),
        pa.field("answer_logprob", pa.float64()),
        pa.field("answer_logprob_per_token", pa.float64()),
        pa.field("answer_rank", pa.float64()),
        pa.field("answer_margin", pa.float64()),
        pa.field("chain", pa.float64()),
        pa.field("reply", _TEXT),
    ]
)
"""A sample of a result; `token_f1` to `chain` are measures of `kbench.benchmarks.definitions`, null where none is."""

# Columns of few distinct values: the only ones worth a Parquet dictionary.
LOW_CARDINALITY = frozenset(
    {"style", "probe", "relation", "template_id", "value_type", "unit", "kind", "type", "role", "split", "status"}
)


def schema_of(config: str) -> pa.Schema:
    """The Arrow schema of a config: a style's rows, `facts` or `entities`."""
    if config == "facts":
        return FACT_SCHEMA
    if config == "entities":
        return ENTITY_SCHEMA
    special = {"dialogue": DIALOGUE_SCHEMA, "choice": CHOICE_SCHEMA}
    return special.get(config, DOCUMENT_SCHEMA if config in DOCUMENT_STYLES else QUESTION_SCHEMA)
