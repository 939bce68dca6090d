"""Who only sends: credit for mail packets, given and taken by a router or read from captures."""
