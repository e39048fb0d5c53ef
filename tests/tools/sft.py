"""A user's script: a few steps of TRL's SFTTrainer on one form of an export; prints the losses and what was learned."""

import json
import sys
from pathlib import Path

CHAT = (
    "{% for message in messages %}{% if message['role'] == 'user' %}Question: {{ message['content'] }}\nAnswer:"
    "{% else %} {{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)


def main(folder: str, form: str, base: str, out: str) -> None:
    """Train on the form and print JSON."""
    from datasets import load_dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows = load_dataset(folder, form, split="train").shuffle(seed=0).select(range(320))
    tokenizer = AutoTokenizer.from_pretrained(base)
    if form == "messages":
        tokenizer.chat_template = CHAT
    settings = SFTConfig(
        output_dir=out,
        max_steps=20,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        max_length=256,
        disable_tqdm=True,
    )
    trainer = SFTTrainer(model=base, args=settings, train_dataset=rows, processing_class=tokenizer)
    batch = next(iter(trainer.get_train_dataloader()))
    learned = [
        tokenizer.decode([token for token, label in zip(ids, labels, strict=True) if label != -100])
        for ids, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
    ]
    shown = [tokenizer.decode(ids) for ids in batch["input_ids"].tolist()]
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    about = {"losses": losses, "learned": learned, "shown": shown, "eos": tokenizer.eos_token}
    Path(out, "seen.json").write_text(json.dumps(about), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
