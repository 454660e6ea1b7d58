"""What each subcommand does with its options; ``call.py`` reads them.

What a command needs is imported in its function: `medfl split` starts without PyTorch.
"""
