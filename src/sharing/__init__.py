"""A run or sweep as one zip, and back. No torch.

`contents` says which files belong to a run or sweep; `places` takes the sharer's paths out of texts; `pack` writes the
zip with the README of `readme`; `unpack` opens one that somebody else may have made, and `whole` says whether its files
are those that were shared, and can be read.
"""
