"""What the architecture draft needs beside its model: the choice of a circuit, force fields, Table 1."""
