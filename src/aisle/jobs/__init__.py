"""Long work and who does it: leases on duties, the nodes of the cluster, housekeeping."""
