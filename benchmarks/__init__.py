"""Speed, memory and scale of medfl against plain PyTorch: ``python -m benchmarks``."""
