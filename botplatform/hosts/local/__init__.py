"""The local host: one process with HTTP, MQTT, the clock, the inbox and the console."""
