"""The unit of the token classes: the tokens of one pass over the articles of a release."""

from pathlib import Path

from kbench.benchmarks.examples import examples_of
from kbench.store import Release


def article_pass(release: Release, model: Path) -> int:
    """How many tokens one pass over the articles that are trained on has, in the tokens of a model's folder.

    Each as often as the release says, with its end token. Raises ReleaseError where it has no articles.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model))
    examples = examples_of(release, "article", "train", tokenizer, "all")
    return sum(len(example.tokens) * example.repeat for example in examples)
