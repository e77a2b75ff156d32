"""`python -m botplatform`: the same as the command `botplatform`."""

from botplatform.cli import main

main(prog_name="botplatform")
