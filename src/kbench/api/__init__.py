"""The Python door: what `import kbench` offers, one file a noun; the command line asks the same functions."""
