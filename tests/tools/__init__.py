"""What other tools make of an export, seen by running them: the session `tools` installs them."""
