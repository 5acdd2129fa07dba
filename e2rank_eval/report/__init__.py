"""Tables, figures and the static site, all made from stored results."""
