"""Find the passages of the notes that a text is about."""
