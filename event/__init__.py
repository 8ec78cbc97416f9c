"""READS: turns what an organiser wrote in a stack file into a site or an event, or tells why not."""
