"""Ansible playbooks of the organiser's own: run on this machine, carried out through our ways."""
