"""How a network is trained: the loop over epochs (`loop`), for one (`network`) in blocks or in Lightning's steps."""
