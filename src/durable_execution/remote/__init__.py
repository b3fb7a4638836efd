"""Tasks over RPC: the one place that knows both the engine's wing and oRPC's.

Its doors are `durable_execution.server` and `durable_execution.client`; the modules that the
latter loads know nothing of executors and storages.
"""
