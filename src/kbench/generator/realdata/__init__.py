"""A published dataset of real facts: read, divided into those to train on and those to ask about, written as a release."""
