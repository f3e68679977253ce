"""What `make bench` runs: ratios measured in one run, on one machine, with full durability."""
