"""The outside systems the platform can read, one module or folder each."""
