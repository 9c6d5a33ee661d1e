"""The support bundle: what a stranger needs to help a school, and nothing that is none of his."""
