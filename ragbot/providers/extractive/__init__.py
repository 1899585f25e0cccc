"""Answer without a model, with sentences of the book."""
