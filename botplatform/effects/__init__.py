"""The ways to change the outside world, one module each."""
