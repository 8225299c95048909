"""What may be sent, how it goes out, and what became of it."""
