"""Contextualization at work: orders are carried to guests through their agents, and told."""
