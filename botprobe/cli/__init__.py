"""Command line: parse, call, render."""
