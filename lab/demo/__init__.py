"""`make demo`: a controller moves between two hosts and back, under load; each promise is held against the facts."""
