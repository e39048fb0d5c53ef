"""What a server's JSON says: texts, tokens, log-probabilities, or why there are none."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

LONGEST_REASON = 200


class _Details(BaseModel):
    reasoning_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int | None = None
    completion_tokens_details: _Details | None = None


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Logprobs(BaseModel):
    token_logprobs: list[float | None] | None = None


class _Choice(BaseModel):
    text: str | None = None
    message: _Message | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Body(BaseModel):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    error: Any = None


@dataclass(frozen=True)
class Said:
    """What one response says.

    `rubbish` is why it is no reply at all, `error` why it is one that cannot be judged; `usage` is whether it counts
    its tokens. `logprobs` are those of its first choice, one for each token, where it tells them.
    """

    texts: tuple[str, ...] = ()
    prompt_tokens: int = 0
    tokens: int = 0
    usage: bool = False
    model: str = ""
    fingerprint: str = ""
    logprobs: tuple[float | None, ...] = ()
    rubbish: str = ""
    error: str = ""
    refused: bool = False


def read_reply(text: str) -> Said:
    """Read the body of a response to /completions or /chat/completions."""
    try:
        body = _Body.model_validate_json(text)
    except ValidationError as invalid:
        return Said(rubbish=_no_reply(text, invalid))
    if not body.choices:
        told = message_of(body.error)
        return Said(rubbish=f"the reply is an error: {told}" if told else "the reply has no choices")
    usage = body.usage or _Usage()
    first = body.choices[0]
    texts, error, refused = list[str](), "", False
    for choice in body.choices:
        message = choice.message or _Message(content=choice.text)
        if choice.finish_reason == "content_filter" or message.refusal:
            refused, error = True, message.refusal or "stopped by the service's content filter"
        elif message.content:
            texts.append(message.content)
        elif choice.finish_reason == "length" and usage.completion_tokens_details is not None:
            thought = usage.completion_tokens_details.reasoning_tokens or 0
            if thought:
                error = f"all {thought} tokens went into reasoning: raise --max-tokens"
            texts.append("")
        elif choice.message is None and choice.text is None:
            return Said(rubbish="a choice of the reply has neither text nor message")
        else:
            texts.append("")
    return Said(
        texts=() if error else tuple(texts),
        prompt_tokens=usage.prompt_tokens,
        tokens=usage.completion_tokens or 0,
        usage=body.usage is not None,
        model=body.model or "",
        fingerprint=body.system_fingerprint or "",
        logprobs=tuple((first.logprobs.token_logprobs if first.logprobs else None) or ()),
        error=one_line(error),
        refused=refused,
    )


def message_of(body: object) -> str:
    """What the body of an error says: its message or detail, or itself; of a page only that it is one."""
    if isinstance(body, dict):
        told = next((body[key] for key in ("message", "detail", "error") if body.get(key)), body)
        return message_of(told) if told is not body and isinstance(told, dict) else one_line(str(told))
    text = str(body or "").strip()
    return "an HTML page" if text.startswith("<") else one_line(text)


def one_line(text: str) -> str:
    """A reason, short and in one line."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"


def _no_reply(text: str, error: ValidationError) -> str:
    if text.lstrip().startswith("<"):
        return "an HTML page instead of JSON"
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"no JSON: {one_line(text[:LONGEST_REASON])!r}"
    where = ".".join(str(part) for part in first["loc"]) or "the reply"
    return f"JSON of another shape: {where}: {one_line(first['msg']).lower()}"
