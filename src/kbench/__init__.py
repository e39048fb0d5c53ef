"""kbench: invent a world, write its facts, finetune on them, score what was learned."""

__version__ = "0.1.0"
