"""The tasks router for those who speak plain HTTP and JSON."""

from __future__ import annotations

from durable_execution.remote.rest.handler import RESTHandler

__all__ = ["RESTHandler"]
