"""A user's own facts: read, checked, and told as a world is."""
