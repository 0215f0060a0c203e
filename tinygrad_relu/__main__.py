"""The command ``tinygrad-relu``, also ``python -m tinygrad_relu``: train a network on a table, and use it."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
