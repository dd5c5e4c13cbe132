"""Weighted and running windows over N-D arrays."""
