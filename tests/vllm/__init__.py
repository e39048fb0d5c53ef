"""The vLLM engine and its server, for real: the session `vllm` installs it."""
