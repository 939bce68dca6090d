"""botprobe: reads the way of a spam mail and asks each host on it what it is."""

__version__ = "0.1.0"
