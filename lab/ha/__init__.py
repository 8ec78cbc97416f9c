"""High availability: which guests are watched, by which rules, and the manager that acts."""
