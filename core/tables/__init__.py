"""A table file of any format, read into cells, columns and labels."""
