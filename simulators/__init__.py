"""Stand-ins for every device: they speak the real protocols with codecs of their own."""
