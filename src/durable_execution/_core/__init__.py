"""The law of the engine: pure, without I/O, clock, randomness, asyncio or logging."""
