"""What a study will take: sequences, bytes, memory and time."""
