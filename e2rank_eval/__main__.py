"""Run the command line as ``python -m e2rank_eval``."""

from e2rank_eval.cli import main

if __name__ == "__main__":
    main()
