"""What a command does with studies, hosts and workers."""
