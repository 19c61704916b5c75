"""What the package costs and gains, measured side by side with its baselines: ``nox -s bench``."""
