"""Keyed hashes and permutations over whole columns: the arithmetic that makes a world random-access.

Integers only, so that every machine computes the same world. `mix` is the splitmix64 finaliser
(Steele, Lea and Flood, 2014); permutations are Feistel networks with cycle-walking (Black and Rogaway, 2002).
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_ROUNDS = 6
_MOST_WALKS = 10_000


def stream_key(*parts: str) -> int:
    """A 64-bit key for a named random stream: blake2b of the parts."""
    data = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def mix(key: int | Words, x: Ints | Words) -> Words:
    """A 64-bit hash of each x under a key; the key may be a column too."""
    z = x.astype(np.uint64) * _GOLDEN + np.asarray(key, dtype=np.uint64)
    z = (z ^ (z >> np.uint64(30))) * _M1
    z = (z ^ (z >> np.uint64(27))) * _M2
    mixed: Words = z ^ (z >> np.uint64(31))
    return mixed


def below(key: int | Words, x: Ints | Words, n: int) -> Ints:
    """A hash of each x reduced to [0, n), n at most 2**32, by multiply and shift."""
    high = mix(key, x) >> np.uint64(32)
    drawn: Ints = ((high * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
    return drawn


def permute(key: int | Words, x: Ints, n: int) -> Ints:
    """Where a keyed permutation of [0, n) sends each x."""
    return _walk(key, x, n, range(_ROUNDS), inverse=False)


def unpermute(key: int | Words, y: Ints, n: int) -> Ints:
    """The x that `permute` sends to each y."""
    return _walk(key, y, n, range(_ROUNDS - 1, -1, -1), inverse=True)


def _walk(key: int | Words, x: Ints, n: int, rounds: range, *, inverse: bool) -> Ints:
    half = max(1, ((n - 1).bit_length() + 1) // 2)
    keys = np.broadcast_to(np.asarray(key, dtype=np.uint64), x.shape)
    out = x.astype(np.uint64)
    if n <= 1:
        return x.copy()
    todo = np.arange(x.size)
    for _ in range(_MOST_WALKS):
        out[todo] = _feistel(keys[todo], out[todo], half, rounds, inverse=inverse)
        todo = todo[out[todo] >= np.uint64(n)]
        if todo.size == 0:
            return out.astype(np.int64)
    raise AssertionError(f"a permutation of {n} did not close after {_MOST_WALKS} walks")


def _feistel(keys: Words, x: Words, half: int, rounds: range, *, inverse: bool) -> Words:
    bits, mask = np.uint64(half), np.uint64((1 << half) - 1)
    left, right = x >> bits, x & mask
    for r in rounds:
        turn = keys + np.uint64(stream_key("feistel", str(r)))
        if inverse:
            left, right = right ^ (mix(turn, left) & mask), left
        else:
            left, right = right, left ^ (mix(turn, right) & mask)
    joined: Words = (left << bits) | right
    return joined
