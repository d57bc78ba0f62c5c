"""What `mgc reconstruct` makes of photographs and videos."""
