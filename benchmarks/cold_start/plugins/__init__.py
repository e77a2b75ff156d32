"""The plugins of the functions that are measured."""
