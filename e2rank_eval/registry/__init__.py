"""What the suite knows by name: data sets and models; package data that config/ may overlay."""
