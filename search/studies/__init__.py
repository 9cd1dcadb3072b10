"""What a study is: its configuration, its trials as people see them, how they are chosen. No process, no torch."""
