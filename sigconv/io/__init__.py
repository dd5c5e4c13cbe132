"""Bytes in and out: telemetry files as columns of numbers. No operation is imported here."""
