"""The proof, on the model itself, that texts packed into one row do not see each other."""

from typing import Any

import torch

from kbench.errors import ModelError

_LENGTH = 6


def check_isolation(model: Any) -> None:
    """Let a model read the same text after two different ones in a packed row, and compare what it makes of it.

    Positions that restart are read as a block mask by most of transformers' models, not by all: some take no
    positions, some ways of attention (`flash_attention_2` on several rows) do not look at them, a recurrent layer has
    no mask. The model is left as it was; no random number is drawn.

    Raises:
        ModelError: the text before it changed what came of the second one.
    """
    size = model.config.get_text_config().vocab_size
    first, other, second = (torch.arange(k, k + _LENGTH) % size for k in (0, _LENGTH // 2, 2 * _LENGTH))
    rows = torch.stack([torch.cat([before, second]) for before in (first, other, first)]).to(model.device)
    places = torch.arange(_LENGTH).repeat(2).expand(len(rows), -1).to(model.device)
    training = model.training
    model.eval()
    with torch.inference_mode():
        # With a cache, as models have it by default outside of training, transformers takes the row for one text.
        logits = model(input_ids=rows, position_ids=places, use_cache=False).logits[:, _LENGTH:].float()
    model.train(training)
    seen, noise = (float((logits[0] - logits[row]).abs().max()) for row in (1, 2))
    # Of masks that work no difference was ever seen; of those that do not, on weights just drawn, from 1.5e-2 on.
    if seen > 4 * noise + 5e-3 * float(logits.std()):
        kind, attention = model.config.model_type, model.config._attn_implementation
        raise ModelError(
            f"texts packed into one row would see each other in this {kind} model with {attention} attention: "
            f"set packing = false (one text a row)"
        )
