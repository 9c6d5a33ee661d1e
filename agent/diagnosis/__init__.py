"""`campus-agent diagnose`: every part of a site checked once, with the next step where it fails."""
