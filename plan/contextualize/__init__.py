"""Contextualization: what is put on guests once they answer, decided from the plan alone."""
