"""A published dataset of real facts: read, divided by subject, written as a release."""
