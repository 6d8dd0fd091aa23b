"""Pages, REST and one binary WebSocket: what a supervisor sees and changes. Reads the live view, decides nothing about frames."""
