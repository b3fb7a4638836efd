"""Golden data recorded from the TypeScript packages, and the notation its typed values use."""
