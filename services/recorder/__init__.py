"""inspections -> live view (Redis), records (SQL) and history (Parquet): one small process, three consumer groups."""
