"""A server that speaks the Hub's protocol on loopback, and kbench as its client, for tests with the real libraries."""

from tests.hub.client import Client, Done, environment, run_alone, start
from tests.hub.server import HubServer
from tests.hub.state import Fault, Repo

__all__ = ["Client", "Done", "Fault", "HubServer", "Repo", "environment", "run_alone", "start"]
