"""The tests, as a package so that they can share the types of their fixtures: `from tests.conftest import Budget`."""
