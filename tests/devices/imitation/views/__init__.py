"""What each make shows."""
