"""What the package costs and gains, measured side by side with its baselines in one run: ``nox -s bench``."""
