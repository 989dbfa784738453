"""Who is let in, who is not, and what happens while the issuer changes its keys or is away."""
