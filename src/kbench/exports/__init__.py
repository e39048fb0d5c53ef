"""A release written for the tools that users already run: lm-eval, inspect, TRL, hosted finetuning."""
