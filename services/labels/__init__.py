"""Labels of features: kept with their history, imported, exported, queued."""
