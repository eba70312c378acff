"""`make bench`: the gateway beside its peers, in one run, on the same cores, in turns."""
