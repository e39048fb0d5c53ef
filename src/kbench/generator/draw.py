"""Draws value pools from Faker once: `nox -s pools` runs this and rewrites the committed files.

Faker's output changes from version to version, so kbench never asks it for a value when it makes a world.
"""

from pathlib import Path

from kbench.generator.starter import schema_text
from kbench.ids import digest_of

_FRAGMENTS = frozenset({"copy", "land", "make", "sub", "dealer", "contractor", "administrator"})
_LONGEST = 12


def occupations() -> list[str]:
    """Faker's one-word English jobs, lower case, in an order fixed by their digests."""
    from faker.providers.job import Provider as Base
    from faker.providers.job.en_US import Provider as English

    words = {job.lower() for job in (*Base.jobs, *English.jobs) if job.isalpha() and job.isascii()}
    kept = {word for word in words - _FRAGMENTS if len(word) <= _LONGEST}
    return sorted(kept, key=lambda word: digest_of(word))


def main() -> None:
    """Rewrite every drawn pool, and the spec's JSON schema, beside this file."""
    target = Path(__file__).parent / "pools" / "occupation.txt"
    target.write_text("\n".join(occupations()) + "\n", encoding="utf-8")
    print(f"{target.name}: {len(occupations())} values")
    schema = Path(__file__).parent / "worlds" / "world.schema.json"
    schema.write_text(schema_text(), encoding="utf-8")
    print(f"{schema.name}: written")


if __name__ == "__main__":
    main()
