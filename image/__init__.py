"""The image that guests start from, built from Debian's packages for lab and real site alike."""
