"""Hosts on all nodes of a Ray cluster: Ray places them and reports their ends, this side watches the study."""
