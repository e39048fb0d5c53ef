"""Seeds of private worlds: read from a file or the environment, never printed; a release keeps a salted commitment."""

import os
import secrets
from pathlib import Path
from typing import Any

from kbench.errors import SpecError
from kbench.ids import digest_of

VARIABLE = "KBENCH_SEED"
_SHORTEST = 16


def private_seed(file: Path | None) -> str:
    """The seed in a file, else that of the environment. Raises SpecError where there is none or it can be guessed."""
    if file is not None:
        try:
            seed = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SpecError(f"cannot read the seed file {file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SpecError(f"the seed file {file} is not UTF-8 text") from None
        where = str(file)
    else:
        seed, where = os.environ.get(VARIABLE, "").strip(), VARIABLE
        if not seed:
            raise SpecError(f"a private world needs --seed-file FILE, or its seed in the environment as {VARIABLE}")
    if len(seed) < _SHORTEST:
        raise SpecError(
            f"the seed in {where} has {len(seed)} characters and could be guessed: expected at least {_SHORTEST}; "
            f'make one with `python -c "import secrets; print(secrets.token_hex(32))"`'
        )
    return seed


def new_salt() -> str:
    """A salt nobody can foresee."""
    return secrets.token_hex(16)


def commitment(seed: str, salt: str) -> dict[str, str]:
    """What a release may say of a private seed: who has the seed can show that it is this one."""
    return {"salt": salt, "commitment": digest_of("kbench private seed", salt, seed)}


def salt_of(recipe: dict[str, Any] | None) -> str:
    """The salt in a described recipe, or a new one."""
    seed = (recipe or {}).get("seed")
    return str(seed["salt"]) if isinstance(seed, dict) and "salt" in seed else new_salt()
