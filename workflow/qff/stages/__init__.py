"""The stages of the study: each function reads files, calls the science, and writes files and a run record.

These are what the workflow's scripts call, one function each. Arguments named ``*_path`` are files; results are
written atomically, ``run.json`` last.
"""
