"""Groups over several data sets, by their ranks on each."""
