"""From the best trial to a model: export, retrain, registry, predictions."""
