"""inspections -> Parquet by line and day, kept for a year, and the questions that DuckDB answers about them."""
