"""A model of the Hub by its name: its folder in the Hub's own cache, weights from safetensors only."""

from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from kbench.errors import HubError, ModelError
from kbench.hub.client import hub_errors, is_repo_id

_WANTED = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.py")
"""Configuration, weights, tokenizer, chat template, and the code that only a flag lets run; never a pickle."""


def fetch_model(name: str, *, download: bool = True) -> str:
    """The folder of ORG/NAME[@REVISION], downloaded where the cache lacks it; any other name as it is.

    Without `download` the cache alone is asked, and where it lacks the model, its name is given back.
    A folder goes before a name of the Hub. Offline (HF_HUB_OFFLINE) the cache alone is asked.

    Raises:
        HubError: the Hub does not answer or refuses.
        ModelError: there is no such model.
    """
    repo_id, _, revision = name.partition("@")
    if Path(name).exists() or ":" in name or not is_repo_id(repo_id):
        return name
    try:
        with hub_errors("fetch the model", repo_id):
            return str(
                snapshot_download(
                    repo_id, revision=revision or None, allow_patterns=list(_WANTED), local_files_only=not download
                )
            )
    except (HubError, LocalEntryNotFoundError) as error:
        if not download:
            return name
        raise ModelError(f"there is no folder {name}; as a model of the Hub: {error}") from None
