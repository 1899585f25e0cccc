"""Check the parts of the service and decide whether a question could be answered."""
