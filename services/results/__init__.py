"""The live view in Redis, and the archive of pictures. The only room that imports redis."""
