"""``python -m e2rank_eval`` is ``e2rank-eval``."""

from e2rank_eval.cli import main

if __name__ == "__main__":
    main()
