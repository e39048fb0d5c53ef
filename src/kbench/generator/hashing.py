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
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_ROUNDS = 6
_MOST_WALKS = 10_000


def stream_key(*parts: str) -> int:
    """A 64-bit key for a named random stream: blake2b of the parts."""
    data = "\x1f".join(parts).encode()
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


_TURNS = tuple(np.uint64(stream_key("feistel", str(turn))) for turn in range(_ROUNDS))


def mix(key: int | Words, x: Ints | Words) -> Words:
    """A 64-bit hash of each x under a key; the key may be a column too."""
    z = x.astype(np.uint64) * _GOLDEN
    return _finish(z + np.asarray(key, dtype=np.uint64))


def _finish(z: Words) -> Words:
    """The finaliser, in place."""
    z ^= z >> _S30
    z *= _M1
    z ^= z >> _S27
    z *= _M2
    z ^= z >> _S31
    return z


def below(key: int | Words, x: Ints | Words, n: int) -> Ints:
    """A hash of each x reduced to [0, n), n at most 2**32, by multiply and shift."""
    high = mix(key, x) >> np.uint64(32)
    drawn: Ints = ((high * np.uint64(n)) >> np.uint64(32)).astype(np.int64)
    return drawn


def permute(key: int | Words, x: Ints, n: int | Ints) -> Ints:
    """Where a keyed permutation of [0, n) sends each x; key and n may be columns."""
    return _walk(key, x, n, _TURNS, inverse=False)


def unpermute(key: int | Words, y: Ints, n: int | Ints) -> Ints:
    """The x that `permute` sends to each y."""
    return _walk(key, y, n, _TURNS[::-1], inverse=True)


def _walk(key: int | Words, x: Ints, n: int | Ints, turns: tuple[np.uint64, ...], *, inverse: bool) -> Ints:
    if isinstance(n, int) and n <= 1:
        return x.copy()
    bits, mask, most = _halves(n)
    keys = np.asarray(key, dtype=np.uint64)
    out = _feistel(keys, x.astype(np.uint64), bits, mask, turns, inverse=inverse)
    todo = np.flatnonzero(out >= most)
    for _ in range(_MOST_WALKS):
        if todo.size == 0:
            return out.astype(np.int64)
        mine = [column if column.ndim == 0 else column[todo] for column in (keys, bits, mask, most)]
        again = _feistel(mine[0], out[todo], mine[1], mine[2], turns, inverse=inverse)
        out[todo] = again
        todo = todo[again >= mine[3]]
    raise AssertionError(f"a permutation of {n} did not close after {_MOST_WALKS} walks")


def _halves(n: int | Ints) -> tuple[Words, Words, Words]:
    """For numbers below n: the bits of half a number, the mask of as many, and n itself."""
    most = np.asarray(n, dtype=np.uint64)
    distinct, at = (np.unique(most, return_inverse=True)) if most.ndim else (most[None], np.asarray(0))
    half = np.asarray([max(1, ((int(one) - 1).bit_length() + 1) // 2) for one in distinct], dtype=np.uint64)[at]
    return half, (np.uint64(1) << half) - np.uint64(1), most


def _feistel(keys: Words, x: Words, bits: Words, mask: Words, turns: tuple[np.uint64, ...], *, inverse: bool) -> Words:
    left, right = x >> bits, x & mask
    for turn in turns:
        source = left if inverse else right
        hashed = source * _GOLDEN
        hashed += keys
        hashed += turn
        hashed = _finish(hashed)
        hashed &= mask
        if inverse:
            right ^= hashed
        else:
            left ^= hashed
        left, right = right, left
    left <<= bits
    left |= right
    return left
