"""What one thing costs each server, for the arithmetic of load/scale: CPU time, bytes, memory."""
