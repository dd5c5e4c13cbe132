"""Windows in time: filters that carry their past along."""
