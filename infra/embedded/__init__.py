"""The real stack on one machine without Docker: Kafka, Redis, Ray and our processes, started and watched by `loupe up`."""
