"""Where state can live, one folder or module each."""
