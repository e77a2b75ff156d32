"""Task queues with workers in processes of their own, each with the same task, which does nothing but be counted."""
