"""What commands show: tables for people, JSON lines for scripts."""
