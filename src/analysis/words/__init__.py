"""The answer in words: headings, sentences, remarks and hints, and the tables of the terminal that hold them."""
