"""Files of samples that would fill memory: refused by what their pages are, whatever their footer says."""

import io
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kbench.errors import OutputError
from kbench.leaderboard.entry import MOST_ROWS
from kbench.leaderboard.parquet_pages import pages_of
from kbench.leaderboard.samples import MOST_TEXT, SCHEMA, rows_of, samples_bytes

ROW: dict[str, Any] = {
    "id": "a",
    "style": "qa",
    "probe": "paraphrase",
    "entity_id": "e",
    "relation": "badge",
    "fact_ids": ["f"],
    "facts": ["x | badge | 1"],
    "prompt": "?",
    "prediction": "1",
    "answers": ["1", "one"],
    "correct": True,
}
MEGA = 1 << 20


@pytest.fixture
def counted() -> Iterator[pa.MemoryPool]:
    """What Arrow takes of memory while a test runs."""
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    yield pool
    pa.set_memory_pool(usual)


def dictionary_of_one(letters: int, rows: int) -> bytes:
    """A file that says one long value in every row, and whose footer says that it has no dictionary."""
    sink = io.BytesIO()
    table = pa.Table.from_pylist([ROW] * rows, schema=SCHEMA)
    said = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * letters])
    table = table.set_column(8, pa.field("prediction", said.type), said)
    more: dict[str, Any] = {"use_dictionary": ["prediction"], "dictionary_pagesize_limit": letters + 9}
    pq.write_table(table, sink, compression="zstd", store_schema=False, **more)
    content = sink.getvalue()
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    # In the list of a chunk's encodings, 0x10 is RLE_DICTIONARY and 0x06 is RLE.
    assert content[footer:].count(b"\x35\x00\x06\x10") == 1
    return content[:footer] + content[footer:].replace(b"\x35\x00\x06\x10", b"\x35\x00\x06\x06")


def test_a_dictionary_that_its_footer_hides_is_refused_and_never_unpacked(counted: pa.MemoryPool) -> None:
    content = dictionary_of_one(2 * MEGA, 4000)
    held = pq.ParquetFile(io.BytesIO(content)).metadata.row_group(0)
    assert {name for c in range(held.num_columns) for name in held.column(c).encodings} == {"PLAIN", "RLE"}
    before = counted.max_memory()
    with pytest.raises(OutputError, match="samples: prediction says that it has a dictionary"):
        rows_of(content, 4000, "samples")
    assert counted.max_memory() < before + 4 * MEGA


def test_a_page_of_another_encoding_than_plain_is_seen_by_its_header() -> None:
    held = pq.ParquetFile(io.BytesIO(dictionary_of_one(100, 50))).metadata.row_group(0).column(8)
    content = dictionary_of_one(100, 50)
    pages = list(pages_of(content, held.dictionary_page_offset, held.total_compressed_size))
    assert [(page.is_dictionary, page.encoding in (0, 3)) for page in pages] == [(True, True), (False, False)]


def test_a_long_text_is_refused_before_any_row_is_made_of_it() -> None:
    rows = [dict(ROW, prediction="x" * (MOST_TEXT + 1)), *([ROW] * 20)]
    with pytest.raises(OutputError, match="the column prediction has a text of 65,537 bytes, expected at most 65,536"):
        rows_of(samples_bytes(rows), len(rows), "samples")
    rows = [dict(ROW, facts=["y" * (MOST_TEXT + 1)]), *([ROW] * 20)]
    with pytest.raises(OutputError, match="the column facts has a text of 65,537 bytes"):
        rows_of(samples_bytes(rows), len(rows), "samples")


def test_more_rows_than_any_release_asks_are_refused_before_anything_is_read() -> None:
    with pytest.raises(OutputError, match=r"samples have at most 200,000 rows \(expected 200,001\)"):
        rows_of(b"", MOST_ROWS + 1, "samples")


@given(st.integers(0, 600))
@example(513)
def test_samples_are_read_as_they_were_written(count: int) -> None:
    rows = [dict(ROW, id=str(number), correct=[True, False, None][number % 3]) for number in range(count)]
    assert rows_of(samples_bytes(rows), count, "samples") == rows


@given(st.binary(max_size=60))
def test_whatever_bytes_are_taken_for_pages_they_are_refused_in_one_way(content: bytes) -> None:
    with suppress(ValueError):
        assert all(page.unpacked >= 0 for page in pages_of(content, 0, len(content)))


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_spoilt_file_is_read_or_refused(place: int, byte: int) -> None:
    content = bytearray(samples_bytes([ROW] * 5))
    content[place % len(content)] = byte
    with suppress(OutputError):
        assert len(rows_of(bytes(content), 5, "samples")) == 5
