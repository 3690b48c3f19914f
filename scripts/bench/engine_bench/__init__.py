"""The parts of `engine.py`: the model, the peers, the client, the measurements, the table."""
