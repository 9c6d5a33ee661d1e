"""The hand-over report: what was checked, what is kept and what was walked, on paper to sign."""
