"""``python -m botprobe``."""

from botprobe.cli.app import main

main()
