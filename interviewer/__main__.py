"""Run the command line as `python -m interviewer`."""

from interviewer.cli.main import main

main()
