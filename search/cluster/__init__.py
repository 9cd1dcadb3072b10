"""Many machines through an engine that others have built: Ray places hosts of one slot each, and we mind the study."""
