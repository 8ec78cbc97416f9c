"""The areas of the API besides guests and volumes, one module each."""
