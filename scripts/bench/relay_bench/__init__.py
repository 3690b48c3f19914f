"""What `relay.py` measures with."""
