"""The Python door: what `import kbench` offers beside the command line."""
