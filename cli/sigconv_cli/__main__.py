"""Lets ``python -m sigconv_cli`` stand for ``sigconv``."""

from sigconv_cli.main import main

main()
