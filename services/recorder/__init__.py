"""inspections -> live view (Redis) and records (SQL): one small process, two consumer groups."""
