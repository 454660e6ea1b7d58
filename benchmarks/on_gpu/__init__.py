"""What ``benchmarks/gpu.py`` measures: ways to train clients, the engine, jobs, memory."""
