"""Convolution layers, forward and backward."""
