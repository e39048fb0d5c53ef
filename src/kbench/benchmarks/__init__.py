"""The benchmark harness: train a model on a release, score it, and say how sure the score is."""
