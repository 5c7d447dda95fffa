"""What is wrong with labelled data, before anything is trained on it."""
