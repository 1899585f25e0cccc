"""Answer questions: collect evidence, call a generator, sanitise and cite, cache, and record each turn."""
