"""The chores of an executor: one file each, one `run_once` each."""
