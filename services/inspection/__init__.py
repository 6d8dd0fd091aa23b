"""Frame -> inspection: a pure core (inspector, decision), the consumer around it, and the Ray Serve application that runs both."""
