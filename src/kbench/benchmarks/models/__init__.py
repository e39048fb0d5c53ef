"""The models that can be scored: one protocol, several engines."""
