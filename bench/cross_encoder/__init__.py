"""Train the cross-encoder that scores sentences in answers without a model."""
