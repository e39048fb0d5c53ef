"""A dialogue as a chat model reads it: the tokens of its own template, and how many of them are prompt."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kbench.benchmarks.prompting import Prompter, Prompting
from kbench.benchmarks.results import RUN
from kbench.errors import ModelError

Message = Mapping[str, str]
"""A turn: `role` (system, user, assistant) and `content`."""

CHAT = Prompting(chat=True)
"""How scoring asks a question in a chat."""


@dataclass(frozen=True)
class ChatTokens:
    """A whole dialogue up to and with the end of its last turn, and how many of its tokens come before the answer."""

    tokens: list[int]
    prompt: int


def chat_prompter(tokenizer: Any) -> Prompter:
    """What puts a question as scoring does in a chat."""
    return Prompter(CHAT, chat=lambda messages: chat_text(tokenizer, messages, answering=True))


def chat_note(model: str, chat: bool) -> str | None:
    """A line where a run of `kbench train` is asked otherwise than it was taught, which reads as if it knew nothing."""
    path = Path(model) / RUN
    taught = path.is_file() and bool(json.loads(path.read_text(encoding="utf-8"))["recipe"].get("chat"))
    if not path.is_file() or taught == chat:
        return None
    how, now = ("with", "without") if taught else ("without", "with")
    return f"{model} was trained {how} --chat and is asked {now} it: a low score may be the prompt's"


def answered(row: Mapping[str, Any]) -> list[Message]:
    """A question row as a dialogue of two turns, its question put as scoring does."""
    asked = Prompter(CHAT, chat=lambda messages: "").shown(dict(row)).messages
    return [*asked, {"role": "assistant", "content": str(row["answer"])}]


def check_template(tokenizer: Any) -> None:
    """Raise ModelError where a tokenizer has no chat template."""
    if not tokenizer.chat_template:
        raise ModelError(f"{_name(tokenizer)} has no chat template: train it without chat (--no-chat)")


def chat_text(tokenizer: Any, messages: Sequence[Message], *, answering: bool) -> str:
    """What the model's template makes of messages; where `answering`, up to where the model's answer begins.

    Raises ModelError where the model has no template, or its template refuses these turns.
    """
    check_template(tokenizer)
    try:
        return str(
            tokenizer.apply_chat_template([dict(m) for m in messages], tokenize=False, add_generation_prompt=answering)
        )
    except Exception as error:  # a template is a program of the model's makers, which raises what it likes
        raise ModelError(f"the chat template of {_name(tokenizer)} refuses a dialogue: {_first_line(error)}") from None


def chat_tokens(tokenizer: Any, messages: Sequence[Message]) -> ChatTokens:
    """A dialogue that ends with the assistant's turn, in token ids, closed by the template's end of turn.

    Raises ModelError where there is no template, or where the prompt that asks for the last turn is not how the whole
    dialogue begins: the model would be trained on another prompt than it is asked with.
    """
    asked = chat_text(tokenizer, messages[:-1], answering=True)
    whole = chat_text(tokenizer, messages, answering=False).rstrip()
    prompt, tokens = tokenizer([asked, whole], add_special_tokens=False, return_attention_mask=False)["input_ids"]
    if tokens[: len(prompt)] != prompt:
        raise ModelError(
            f"the chat template of {_name(tokenizer)} begins a dialogue otherwise than the prompt "
            f"that asks for its answer (it ends {asked[-24:]!r}): train it without chat (--no-chat)"
        )
    if tokens[-1] not in tokenizer.all_special_ids and not _is_special(tokenizer, tokens[-1]):
        tokens = [*tokens, tokenizer.eos_token_id]
    return ChatTokens(tokens, len(prompt))


def _is_special(tokenizer: Any, token: int) -> bool:
    added = tokenizer.added_tokens_decoder.get(token)
    return added is not None and bool(added.special)


def _name(tokenizer: Any) -> str:
    return str(tokenizer.name_or_path or "the model")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
