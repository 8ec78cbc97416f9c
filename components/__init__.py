"""BUILDS: plan records become Pulumi resources; nothing is decided here."""
