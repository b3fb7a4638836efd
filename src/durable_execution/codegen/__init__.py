"""Descriptions of tasks in other languages, made from the hints of their functions. Pure."""

from __future__ import annotations

from durable_execution.codegen.openapi import generate_openapi
from durable_execution.codegen.typescript import generate_typescript

__all__ = ["generate_openapi", "generate_typescript"]
