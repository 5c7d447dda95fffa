"""One run: from labelled rows to a trained model, told as events."""
