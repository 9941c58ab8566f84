"""Keeping stored mail equal to the mail servers."""
