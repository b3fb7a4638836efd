"""Durable tasks for Python."""
