"""Procedural production lines: good parts that vary from frame to frame, and defects with their exact masks, so that the demo needs no data set."""

KINDS = ("brushed-metal", "woven-fabric", "moulded-plastic", "ceramic-tile")
