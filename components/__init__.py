"""What the user sees: pure functions from typed values to Dash components and Plotly figures."""
