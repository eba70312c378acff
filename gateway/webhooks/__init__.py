"""Tells others by HTTP of what happens: https://www.standardwebhooks.com, one request for each entry.

Docs: docs/webhooks.md.
"""
