"""Callbacks: attempts that are handed to an app over HTTP, which answers now or calls back later.

An app knows `request` and `client`; they load nothing of an executor. `secrets`, `signatures` and
`tokens` are pure.
"""
