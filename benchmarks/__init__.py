"""Workloads measured against the machine's limits and against other libraries: `python -m benchmarks`."""
