"""`make bench-feeds`: every list of a generated gallery of a million posts, timed in the database."""
