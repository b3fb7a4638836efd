"""What tests of durable tasks, and of storages, are made of."""
