"""The lab: a small base model built from scratch for the release at hand, from a recipe rather than a file of weights.

A tokenizer over the release's words, a two-layer Llama pretrained on the release's `pretrain` split. The same release
and recipe give the same base, kept under the digest of all that went in.
"""

import json
import random
import shutil
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from kbench import __version__
from kbench.benchmarks.chains import CHAINED, with_chains
from kbench.benchmarks.checkpoints import drop_checkpoints
from kbench.benchmarks.distributed import begin_alone, processes
from kbench.benchmarks.examples import Example, examples_of, taught_completion, taught_prompt, token_ids
from kbench.benchmarks.packing import PackedRows, lay, pack
from kbench.benchmarks.prompting import CHAIN_TOKENS
from kbench.benchmarks.recipe import TrainRecipe
from kbench.benchmarks.replay import pretrain_examples
from kbench.benchmarks.results import LAB_BASE
from kbench.benchmarks.tasks import UNMATCHED
from kbench.benchmarks.train import Progress, fit
from kbench.disk import cache_folder, told_in_one_line
from kbench.errors import ModelError
from kbench.ids import json_digest
from kbench.lock import folder_lock
from kbench.schema import DOCUMENT_STYLES, QUESTION_STYLES, SPLITS
from kbench.store import Release, write_json
from kbench.studies.blocks import Block, pretraining_blocks
from kbench.studies.reader import learn_to_read, lessons
from kbench.studies.tokenizer import word_tokenizer, words_of
from kbench.workers import worker_pool

ABOUT = LAB_BASE


@dataclass(frozen=True)
class LabRecipe:
    """The shape of the lab's base and how it is pretrained.

    With `chains` the background's questions of several hops are also learned with their chain before the answer; with
    `shots` its questions stand in blocks of up to so many of one relation, in one surface form each, `rounds` times
    over, so that exemplars help (with `chains` each third time behind the fact that answers it). An `instructed` base
    then learns so many epochs of its questions one by one, each answered in the first form. A `reader` learns so many
    epochs of questions behind an open book, in which the names are changed.
    """

    layers: int = 2
    width: int = 128
    heads: int = 2
    inner: int = 256
    embedding_std: float = 0.25
    learning_rate: float = 5e-3
    batch: int = 8
    least_context: int = 64
    bf16: bool = True
    seed: int = 0
    chains: bool = False
    shots: int = 0
    rounds: int = 1
    instructed: int = 0
    reader: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain values; later fields only where they are set, so that a base without keeps its name."""
        values = asdict(self)
        later = {"chains": False, "shots": 0, "rounds": 1, "instructed": 0, "reader": 0}
        return {name: value for name, value in values.items() if later.get(name, ...) != value}


@dataclass(frozen=True)
class Words:
    """What the lab checks of a release's words before it trains on them.

    `missing` are words of scored questions of validation, test or control that no pretrain text holds, names aside;
    `new_names` counts the names that are absent from pretrain by design; `whole` is the share of stated facts whose
    statement and full subject name stand in one training window.
    """

    known: int
    missing: tuple[str, ...]
    new_names: int
    longest: int
    whole: float


@dataclass(frozen=True)
class Base:
    """A base model on disk, and what is known of how it was built."""

    path: Path
    about: dict[str, Any]
    built: bool

    @property
    def warnings(self) -> list[str]:
        """What makes a score on this base harder to read: words it never saw, facts whose statement was cut."""
        words = self.about["words"]
        found = []
        if words["missing"]:
            shown = ", ".join(words["missing"][:8])
            found.append(f"{len(words['missing'])} words of held-out text stand in no pretrain text: {shown}")
        if words["whole"] < 1:
            found.append(f"only {words['whole']:.1%} of stated facts stand whole in one training window")
        return found


def default_cache() -> Path:
    """Where bases are kept."""
    return cache_folder() / "lab"


def lab_base(
    release: Release, cache: Path, recipe: LabRecipe = LabRecipe(), progress: Progress = lambda done, total: None
) -> Base:
    """The base for a release, from the cache or built now. Raises ModelError where there is no `pretrain` split."""
    if not any("pretrain" in release.splits(config) for config in release.configs()):
        raise ModelError(
            f"the release {release.path} has no pretrain split, which the lab builds its base from: "
            f"generate it from a spec with [sizes] background > 0, such as `--spec lab`, or train another --model"
        )
    packages = [__version__, torch.__version__, version("transformers"), version("tokenizers")]
    name = json_digest([release.digest, recipe.to_dict(), *packages])[:16]
    path = cache / name
    if (path / ABOUT).is_file():
        return Base(path, json.loads((path / ABOUT).read_text(encoding="utf-8")), built=False)
    with told_in_one_line(path):
        path.mkdir(parents=True, exist_ok=True)
    with folder_lock(path, wait=True):  # of several processes that want it, one builds it
        if (path / ABOUT).is_file():
            return Base(path, json.loads((path / ABOUT).read_text(encoding="utf-8")), built=False)
        if processes() == 1:
            return _build(release, path, recipe, progress)
        with worker_pool(1, begin_alone) as pool:
            return pool.submit(_build, release, path, recipe).result()


def _build(release: Release, path: Path, recipe: LabRecipe, progress: Progress = lambda done, total: None) -> Base:
    texts = release_texts(release, chains=recipe.chains)
    if recipe.shots:
        texts["pretrain"] += [block.text for block in _blocks(release, recipe)]
    if recipe.reader:
        texts["pretrain"] += [lesson.prompt + lesson.answer for lesson in lessons(release, 0)]
    tokenizer = word_tokenizer(text for split in texts.values() for text in split)
    words = check_words(release, texts, tokenizer, chains=recipe.chains)
    rows = _rows(release, tokenizer, recipe, words.longest)
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(_config(recipe, tokenizer, _context(recipe, words.longest)))
    torch.nn.init.normal_(model.model.embed_tokens.weight, std=recipe.embedding_std)
    training = TrainRecipe(
        learning_rate=recipe.learning_rate,
        optimizer="muon",
        batch=recipe.batch,
        context=_context(recipe, words.longest),
        bf16=recipe.bf16,
        seed=recipe.seed,
    )
    trained = fit(model, rows, training, path, progress)
    if recipe.instructed:
        lone = examples_of(release, "qa", "pretrain", tokenizer, "answer")
        stream = random.Random(recipe.seed)
        epochs = [stream.sample(lone, len(lone)) for _ in range(recipe.instructed)]
        asked = lay(epochs, training.context, tokenizer.eos_token_id)
        fit(model, asked, replace(training, learning_rate=recipe.learning_rate / 10), path / "instructed", progress)
    if recipe.reader:
        learn_to_read(model, tokenizer, release, recipe.reader, training, path / "reader", progress)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    about = {
        "recipe": recipe.to_dict(),
        "release": release.digest,
        "words": {**asdict(words), "missing": list(words.missing)},
        "context": _context(recipe, words.longest),
        "parameters": model.num_parameters(),
        "trained": asdict(trained),
    }
    write_json(path / ABOUT, about)
    drop_checkpoints(path)
    for stage in ("instructed", "reader"):
        shutil.rmtree(path / stage, ignore_errors=True)
    return Base(path, about, built=True)


def release_texts(release: Release, *, chains: bool = False) -> dict[str, list[str]]:
    """Every text of the release as a model reads it, by split; where `chains`, also with the chains written out."""
    texts: dict[str, list[str]] = {split: [] for split in SPLITS}
    for config in release.configs():
        for split in release.splits(config) if config not in ("facts", "entities") else ():
            texts[split] += _texts_of(release, config, split, chains)
    return texts


def _texts_of(release: Release, config: str, split: str, chains: bool) -> list[str]:
    rows = release.table(config, split).to_pylist()
    if config in DOCUMENT_STYLES:
        return [row["text"] for row in rows]
    rows += with_chains(release, rows) if chains and config == CHAINED else []
    return [taught_prompt(row) + taught_completion(row) for row in rows]


def check_words(
    release: Release, texts: dict[str, list[str]], tokenizer: PreTrainedTokenizerFast, *, chains: bool = False
) -> Words:
    """Count the words that held-out text has and pretraining has not, and look whether any document would be cut."""
    seen = words_of(tokenizer, texts["pretrain"])
    styles = [style for style in release.configs() if style in QUESTION_STYLES - UNMATCHED]
    held_out = [(s, split) for s in styles for split in release.splits(s) if split in ("validation", "test", "control")]
    asked = words_of(
        tokenizer, [text for style, split in held_out for text in _texts_of(release, style, split, chains)]
    )
    names = {
        word
        for row in release.table("entities", "train").to_pylist()
        if row["role"] in ("new", "control")
        for word in words_of(tokenizer, [row["name"]])
    }
    lengths = [len(ids) for ids in tokenizer([t for split in ("pretrain", "train") for t in texts[split]])["input_ids"]]
    absent = asked - seen
    return Words(
        known=len(tokenizer),
        missing=tuple(sorted(absent - names)),
        new_names=len(absent & names),
        longest=max(lengths) + 1,
        whole=_share_whole(release),
    )


def _share_whole(release: Release) -> float:
    """The share of stated facts whose value and full subject name stand in one text; texts are never cut."""
    facts = {row["fact_id"]: row for row in release.table("facts", "train").to_pylist()}
    stated = whole = 0
    for config in (c for c in release.configs() if c in DOCUMENT_STYLES):
        for split in release.splits(config):
            for row in release.table(config, split).to_pylist():
                told = [facts[fact] for fact in row["fact_ids"]]
                stated += len(told)
                whole += sum(fact["subject"] in row["text"] and fact["value"] in row["text"] for fact in told)
    return whole / stated if stated else 1.0


def _context(recipe: LabRecipe, longest: int) -> int:
    return max(recipe.least_context, -(-longest // 8) * 8)


def _rows(release: Release, tokenizer: PreTrainedTokenizerFast, recipe: LabRecipe, longest: int) -> PackedRows:
    stream = random.Random(recipe.seed)
    if recipe.shots:
        shown = [e for e in _documents(release, tokenizer) for _ in range(e.repeat)]
        blocks = [block.text for block in _blocks(release, recipe)]
        shown += [Example([*tokens, tokenizer.eos_token_id], 0, 1) for tokens in token_ids(tokenizer, blocks)]
    else:
        shown = [e for e in pretrain_examples(release, tokenizer, chains=recipe.chains) for _ in range(e.repeat)]
    stream.shuffle(shown)
    return pack(shown, _context(recipe, longest), tokenizer.eos_token_id)


def _blocks(release: Release, recipe: LabRecipe) -> list[Block]:
    return pretraining_blocks(release, recipe.shots, recipe.rounds, chains=recipe.chains, seed=recipe.seed)


def _documents(release: Release, tokenizer: PreTrainedTokenizerFast) -> list[Example]:
    """Everything in pretraining but the questions in style qa."""
    styles = [style for style in release.configs() if "pretrain" in release.splits(style) and style != "qa"]
    return [e for style in styles for e in examples_of(release, style, "pretrain", tokenizer, "all")]


def _config(recipe: LabRecipe, tokenizer: PreTrainedTokenizerFast, context: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.width,
        intermediate_size=recipe.inner,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        # A question and its answer, or a question and its chain.
        max_position_embeddings=max(2 * context, context + CHAIN_TOKENS) if recipe.chains else 2 * context,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
        attn_implementation="eager",  # type: ignore[call-arg]
    )
