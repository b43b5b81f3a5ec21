"""`python -m g4g` is the command g4g."""

from g4g.cli import main

if __name__ == "__main__":
    main()
