"""The threshold methods, one file each."""
