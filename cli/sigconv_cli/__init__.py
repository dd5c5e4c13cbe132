"""The command line of sigconv: options in, one public operation, bytes out. No numerics live here."""
