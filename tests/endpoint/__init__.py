"""Endpoints: a server on loopback that misbehaves on command, and what kbench makes of it."""
