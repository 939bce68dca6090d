"""Probes: active questions to one host, each bounded in time, bytes and packets."""
