"""The audit of a release: each of its sentences a function that counts."""
