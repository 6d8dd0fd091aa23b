"""Cameras become frames on Kafka: folders, videos, synthetic lines and HTTP push. One process of its own, with its own port."""
