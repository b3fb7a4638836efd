"""The engine room: a few small services around a storage, and what they share."""
