"""The name of an endpoint, `openai:MODEL@URL`, taken apart and checked."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kbench.errors import ModelError

PREFIX = "openai:"
OPENAI = "https://api.openai.com/v1"
"""Where a model without a URL is asked."""

_SHAPE = "expected openai:MODEL@URL, as openai:my-model@http://localhost:8000/v1, or openai:MODEL for OpenAI's own"


@dataclass(frozen=True)
class Address:
    """A model, as its server calls it, and the URL below which the server answers."""

    name: str
    model: str
    url: str


def read_address(name: str) -> Address:
    """Take a name apart. A URL without a path is that of a server whose API lies under /v1; another path is kept.

    Raises ModelError: it has another shape, or the URL holds what is no address (a user, a query), maybe a key.
    """
    model, sep, url = _parts(name)
    if not name.startswith(PREFIX) or not model:
        raise ModelError(f"no endpoint {_shown(name)!r}: {_SHAPE}")
    if not sep:
        if "@" in model:
            raise ModelError(f"no endpoint {_shown(name)!r}: its URL must begin with http:// or https://; {_SHAPE}")
        return Address(name, model, OPENAI)
    try:
        found = urlsplit(url)
        host, _ = found.hostname, found.port
    except ValueError as error:
        raise ModelError(f"no endpoint {_shown(name)!r}: {str(error).lower()}; {_SHAPE}") from None
    if not host or any(letter.isspace() for letter in url):
        raise ModelError(f"no endpoint {_shown(name)!r}: its URL has no host; {_SHAPE}")
    if "@" in found.netloc or found.query or found.fragment:
        raise ModelError(
            f"the URL of {_shown(name)!r} must be host and path alone, without user, query or fragment: "
            "a key is taken from OPENAI_API_KEY only"
        )
    path = found.path.rstrip("/") or "/v1"
    return Address(name, model, f"{found.scheme}://{found.netloc}{path}")


def _parts(name: str) -> tuple[str, str, str]:
    # A model's own name may hold an @ (`@cf/meta/…`), so the URL begins at an @ that a scheme follows.
    rest = name.removeprefix(PREFIX)
    for scheme in ("http://", "https://"):
        model, sep, url = rest.partition(f"@{scheme}")
        if sep:
            return model, sep, scheme + url
    return rest, "", ""


def _shown(name: str) -> str:
    """The name without what might be a secret in its URL."""
    model, sep, url = _parts(name)
    if not sep:
        return name
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    rest = host.rpartition("@")[2] + slash + path
    return f"{PREFIX}{model}@{scheme}://{rest.partition('?')[0].partition('#')[0]}"
