"""Packets to segments, streams and whole datagrams: what all readers of captures share."""
