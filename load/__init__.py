"""The load generator: many clients that count and check all they get, and what is measured with them.

The gateway does not need it: only the commands `vernissage load` and `make bench` come here.
"""
