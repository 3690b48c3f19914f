"""What the fake termux-* commands run; `tests/fakes/termux.py` puts them on a PATH."""
