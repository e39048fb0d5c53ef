"""The Hugging Face Hub: pushing a release in one commit, pulling one file by file, and finding one by name."""
