"""What a trained model says: bounds on log p(x), and draws."""
