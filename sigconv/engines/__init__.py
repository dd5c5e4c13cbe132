"""Engines: the machines that run a plan. The CPU engine is the only one so far."""
