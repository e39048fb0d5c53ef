"""The generator: from a world spec and a seed to a release on disk."""
