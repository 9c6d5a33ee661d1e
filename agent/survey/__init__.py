"""What a recorder is asked to learn how many days it holds, and when."""
