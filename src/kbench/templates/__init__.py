"""The built-in template pack, and the templates of cards and pages."""
