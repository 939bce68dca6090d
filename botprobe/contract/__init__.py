"""The JSON documents that other programs read; their meaning never changes (docs/contract.md)."""
