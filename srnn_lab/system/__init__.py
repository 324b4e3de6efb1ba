"""What the operating system is asked: files, locks, signals, memory, processes."""
