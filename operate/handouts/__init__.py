"""What participants and instructors get in hand: sheets, SSH settings, inventory, a picture."""
