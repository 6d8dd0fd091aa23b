"""What `loupe demo --data` is made of: labelled pictures, a line for a while, frames on their way, and what came of them."""
