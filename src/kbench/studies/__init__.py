"""Whatever makes a world and trains on it: the lab, the demo, the studies."""
