"""Tables: reading, columns, encoding, splits and folds."""
