"""The procedures of the tasks router, one family in one file.

Each file has a function that gives its procedures by their names on the wire;
`durable_execution.remote.tasks_router` puts them together.
"""
