"""What `loupe bench` is made of: frames to send, who is alive and what it costs, what was lost, and the run itself."""
