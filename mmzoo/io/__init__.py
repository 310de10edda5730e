"""Reading and writing files, and running jobs side by side."""
