"""Real mail servers on loopback for the tests: each its own process on free ports, stopped by its id."""
