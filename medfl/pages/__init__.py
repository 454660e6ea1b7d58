"""What all pages that we write share: they are self-contained, and their figures look alike."""
