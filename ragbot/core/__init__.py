"""Define domain values, interfaces, errors and small mechanisms for every package; standard library only."""
