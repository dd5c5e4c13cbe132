"""Sizes that a kernel and whoever gives it memory must agree on."""

FIT_ROWS = 6  # rows of scratch that a local fit needs, each of the largest window's size
GROUP = 16  # rows of an uneven exponential that share a base; its state keeps two numbers for each
BLOCK = 2048  # outputs of a boxcar by time whose windows are found, then summed, then divided
