"""`vernissage consume`: hands the journal to another program, batch by batch."""
