"""What the model reaches, measured: metrics, results tables and the benchmark, one command each."""
