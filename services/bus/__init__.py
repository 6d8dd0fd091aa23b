"""Kafka behind a publisher and a subscriber: the only room that imports kafka."""
