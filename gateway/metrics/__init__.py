"""What the gateway counts of itself, and how that becomes what Prometheus reads.

Those who work count in plain numbers of their own. A worker reads these when it is asked, the launcher asks
all workers, adds up what they say, and tells the sum (docs/adr/0034-workers-count-the-launcher-adds-up.md).
"""
