"""Files of labels: one module per format."""
