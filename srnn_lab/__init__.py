"""srnn_lab."""
