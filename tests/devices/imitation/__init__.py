"""Imitation network devices: configuration, terminal and SSH of one make each, as the vendors' own test suites know them."""
