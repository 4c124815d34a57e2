"""What the tests share: TPMs, modules, keys, and running real clients."""
