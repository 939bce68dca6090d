"""The values that flow through botprobe: frozen, typed, free of I/O."""
