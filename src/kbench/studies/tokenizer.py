"""The lab's tokenizer: one token a word, one token a digit, built over the words of one release."""

from collections.abc import Iterable

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_END, _UNKNOWN, _SPACE = "<end>", "<unknown>", "▁"
_PIECE = rf"{_SPACE}?[^\W\d_{_SPACE}]+|{_SPACE}?\d|{_SPACE}?[^\w\s{_SPACE}]|\n|{_SPACE}"


def word_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """A transformers tokenizer that knows every word, digit and mark of the texts, and decodes to the same text."""
    tokenizer = Tokenizer(models.WordLevel({_END: 0, _UNKNOWN: 1}, unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Prepend(_SPACE),
            normalizers.Replace("\n", "\n" + _SPACE),
            normalizers.Replace(" ", _SPACE),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECE), behavior="isolated")
    pieces = sorted({piece for text in texts for piece in _pieces(tokenizer, text)})
    vocabulary = {_END: 0, _UNKNOWN: 1, **{piece: i for i, piece in enumerate(pieces, 2)}}
    tokenizer.model = models.WordLevel(vocabulary, unk_token=_UNKNOWN)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_SPACE, " "),
            decoders.Fuse(),
            decoders.Replace("\n ", "\n"),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=_END, pad_token=_END, unk_token=_UNKNOWN, padding_side="left"
    )


def words_of(tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]) -> set[str]:
    """The distinct words of the texts, without the mark of a leading space."""
    backend = tokenizer.backend_tokenizer
    return {piece.removeprefix(_SPACE) for text in texts for piece in _pieces(backend, text)}


def _pieces(tokenizer: Tokenizer, text: str) -> list[str]:
    normal = tokenizer.normalizer.normalize_str(text)
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
