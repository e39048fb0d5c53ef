"""The recipe of a release: everything that fixes what is written."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kbench import __version__
from kbench.generator.ownfacts.pack import fit_pack
from kbench.generator.ownfacts.spec import FactSpec
from kbench.generator.packs import Pack, load_pack
from kbench.generator.seeds import commitment, salt_of
from kbench.generator.spec import WorldSpec
from kbench.ids import json_digest


def canary_of(described: dict[str, Any]) -> str:
    """The canary GUID of a release, from its recipe as the manifest keeps it.

    Mending a template leaves it, so that files which are done stay what they are, and so does the version of kbench.
    """
    said = {key: value for key, value in described.items() if key not in ("generator", "templates")}
    name = described["templates"]["name"]
    return str(UUID(bytes=bytes.fromhex(json_digest([said, name, "canary"])[:32]), version=4))


@dataclass(frozen=True)
class Recipe:
    """Everything that fixes a release: spec (which holds a user's own facts), seed, styles and template pack."""

    spec: WorldSpec
    seed: str = field(repr=False)
    styles: tuple[str, ...]
    templates: str | None = None
    private: bool = False
    """Whether the seed is a secret: the manifest then keeps a salted commitment to it."""
    salt: str | None = field(default=None, repr=False)
    """The salt of that commitment; None where it is that of what was begun, else one that nobody can foresee."""

    def pack(self) -> Pack:
        """The template pack, as the spec needs it."""
        return self.fitted(load_pack(self.templates))

    def fitted(self, pack: Pack) -> Pack:
        """A pack that was loaded, as the spec needs it."""
        return fit_pack(pack, self.spec, own=self.templates is not None)

    def describe(self, pack: Pack, before: dict[str, Any] | None = None) -> dict[str, Any]:
        """The recipe as the manifest keeps it; `before` is what an unfinished or finished release says of its own."""
        seed = commitment(self.seed, self.salt or salt_of(before)) if self.private else self.seed
        book = self.spec.book if isinstance(self.spec, FactSpec) else None
        return {
            "generator": __version__,
            "spec": self.spec.to_dict(),
            **({"facts": {"file": book.file, "rows": book.rows, "digest": book.digest}} if book else {}),
            "seed": seed,
            "styles": list(self.styles),
            "templates": {"name": pack.name, "version": pack.version, "digest": pack.digest},
        }
