"""What is decided, in SQL. The only room that imports sqlalchemy."""
