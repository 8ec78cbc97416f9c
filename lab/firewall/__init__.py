"""The firewall's objects: rules, addresses, aliases and IP sets in four scopes."""
