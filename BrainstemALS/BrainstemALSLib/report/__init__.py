"""What a reader gets of an exam: files, picture, table on the terminal."""
