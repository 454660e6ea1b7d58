"""What the runs of a grid say together, and how sure that is: tables, figures, the page."""
