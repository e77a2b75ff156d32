"""The host for many machines: each takes events off shared queues, and the state they share settles who did what."""
