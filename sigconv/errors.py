"""The package's own error base."""


class SigconvError(Exception):
    """Base of the errors that files and streams raise; wrong arguments are ValueError and TypeError."""
