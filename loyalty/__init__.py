"""The kernel: tenants, people, codes and the ledger. Imports none of our other packages."""
