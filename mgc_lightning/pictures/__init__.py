"""What people look at: overlays, figures, contact sheets."""
