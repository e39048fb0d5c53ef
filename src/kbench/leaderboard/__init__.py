"""The leaderboard: entries that say how a score came about, their re-runs, their order, and the site made of them."""
