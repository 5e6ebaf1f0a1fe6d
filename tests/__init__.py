"""The tests; one file a room of the house."""
