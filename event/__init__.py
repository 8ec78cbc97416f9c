"""READS: turns what an organiser wrote into a site or an event, or tells why not."""
