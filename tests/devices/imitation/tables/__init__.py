"""The lines of each make."""
