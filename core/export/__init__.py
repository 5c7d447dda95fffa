"""What is taken home: vectors, predictions, models other libraries load, scripts."""
