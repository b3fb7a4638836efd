"""The inputs of the tasks router's procedures: written by clients, read and bounded by servers.

Durations are milliseconds here, as the reference has them, and `maxAttempts` counts retries. Fields
that nobody knows are passed over, so that newer clients can talk to older servers.
"""
