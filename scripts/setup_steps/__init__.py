"""What `scripts/setup` does; standard library only, Python 3.11 or later.

`observe` reads the machine into `Facts`, `plan` decides from these alone (pure, tested by tables), `carry_out`
runs the steps one by one. A stamp in `.venv` says what the last complete run installed: while it matches nothing
is run at all. A lock lets any number of setups start at the same moment. `run` puts them together.
"""
