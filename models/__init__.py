"""Networks, preprocessing, engine and stored versions; torch only, knows no service."""
