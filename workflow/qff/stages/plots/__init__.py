"""Stage 9, pictures: each module reads what earlier stages wrote and saves its figures as SVG and PNG.

One module per subject, so that an edit of one figure draws no other again.
"""
