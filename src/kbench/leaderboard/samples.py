"""The samples of an entry: each question of `test` and `control`, what was replied, and the facts behind it."""

import pyarrow as pa

_TEXT, _TEXTS = pa.string(), pa.list_(pa.field("element", pa.string()))

SCHEMA = pa.schema(
    [
        pa.field("id", _TEXT),
        pa.field("style", _TEXT),
        pa.field("probe", _TEXT),
        pa.field("entity_id", _TEXT),
        pa.field("relation", _TEXT),
        pa.field("fact_ids", _TEXTS),
        pa.field("facts", _TEXTS),
        pa.field("prompt", _TEXT),
        pa.field("prediction", _TEXT),
        pa.field("answers", _TEXTS),
        pa.field("correct", pa.bool_()),
    ]
)
"""The columns of `<id>.parquet`; `facts` tells each fact as `subject | relation | value`."""

MOST_BYTES = 32 * 1024 * 1024
"""A file of samples is no larger."""
