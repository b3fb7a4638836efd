"""Other systems, given the same work. Each module here runs in `bench/peers/.venv`, not in ours."""
