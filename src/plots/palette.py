"""The colours and shapes of everything that is drawn, for those that draw without matplotlib too."""

# Okabe & Ito (2008), "Color universal design", https://jfly.uni-koeln.de/color/: told apart with any colour vision.
# Their black is left out, since it is our ink, and their yellow comes last, since it is weakest on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
INK = "#1A1A1A"
