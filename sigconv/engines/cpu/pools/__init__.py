"""Pools, forward and backward."""
