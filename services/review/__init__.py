"""What was flagged -> what people say of it: queue, claims, verdicts, and their way to Kafka."""
