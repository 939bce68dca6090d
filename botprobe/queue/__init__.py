"""Who wakes the workers; the host table alone says what there is to do."""
