"""The only place that joins ports and adapters: what each runtime is made of, started and stopped in order."""
