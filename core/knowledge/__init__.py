"""What an encoder knows before training, and what training took away."""
