"""The pages of a Parquet file by their own headers: a footer may say anything, memory is filled by pages.

pyarrow shows what a footer says and nothing of pages, and unpacks a page of whatever size before it hands out a row.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PLAIN, RLE = 0, 3
"""Encodings of values that say no value twice (bit packing of levels is told by the same number as runs)."""

_DICTIONARY, _NEWER = 2, 3
_HEADERS: Mapping[int, int] = {0: 5, 2: 7, 3: 8}
"""Which field of a page's header is about its kind: data, a dictionary, data of version 2."""

_MOST_DEPTH = 8


@dataclass(frozen=True)
class Page:
    """A page: how many bytes it unpacks to, how many values it says it has, how these are encoded."""

    unpacked: int
    values: int
    encoding: int
    is_dictionary: bool


def pages_of(content: bytes, start: int, length: int) -> Iterator[Page]:
    """The pages of a column's chunk of so many bytes. Raises ValueError where there are none."""
    reader = _Compact(content, start, start + length)
    while reader.at < start + length:
        header = reader.struct()
        kind, unpacked, packed = (_number(header, field) for field in (1, 2, 3))
        about = header.get(_HEADERS.get(kind, 0))
        if not isinstance(about, dict):
            raise ValueError("a page of no known kind")
        yield Page(unpacked, _number(about, 1), _number(about, 4 if kind == _NEWER else 2), kind == _DICTIONARY)
        reader.skip(packed)


def _number(fields: Mapping[int, Any], field: int) -> int:
    value = fields.get(field)
    if not isinstance(value, int) or value < 0:
        raise ValueError("a page's header that lacks a number")
    return value


class _Compact:
    """Thrift's compact protocol, as far as a page's header needs it; nothing is read beyond `end`."""

    def __init__(self, content: bytes, at: int, end: int) -> None:
        self.content, self.at, self.end = content, at, min(end, len(content))

    def skip(self, count: int) -> None:
        if count < 0 or self.at + count > self.end:
            raise ValueError("a page that ends too late")
        self.at += count

    def byte(self) -> int:
        self.skip(1)
        return self.content[self.at - 1]

    def varint(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            part = self.byte()
            found |= (part & 0x7F) << shift
            if part < 0x80:
                return found
        raise ValueError("a number without end")

    def zigzag(self) -> int:
        found = self.varint()
        return (found >> 1) ^ -(found & 1)

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The fields by their numbers. A number said twice is refused: readers may take either."""
        found: dict[int, Any] = {}
        number = 0
        if depth > _MOST_DEPTH:
            raise ValueError("a header nested too deep")
        while head := self.byte():
            number = number + (head >> 4) if head >> 4 else self.zigzag()
            if number in found:
                raise ValueError("a header that says one thing twice")
            found[number] = self._value(head & 0x0F, depth)
        return found

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == 1
            case 3:
                return self.byte()
            case 4 | 5 | 6:
                return self.zigzag()
            case 7:
                return self.skip(8)
            case 8:
                return self.skip(self.varint())
            case 12:
                return self.struct(depth + 1)
            case _:
                raise ValueError("a header of another kind than a page's")
