"""Software-defined networks: what is configured, what is applied, and what each kind allows."""
