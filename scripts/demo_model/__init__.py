"""The parts that `scripts/train_demo_model.py` makes the bundled demo model from."""
