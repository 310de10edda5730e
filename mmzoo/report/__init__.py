"""Pages that show results: one HTML file each, without outside resources, that opens from disk."""
