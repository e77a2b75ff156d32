"""HTTP of the local host: what the world calls is answered on one thread, and all the rest by Flask."""
