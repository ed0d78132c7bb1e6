"""The report of a study: one self-contained HTML file, made from files only."""
