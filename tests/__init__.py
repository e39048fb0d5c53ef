"""The tests of kbench."""
