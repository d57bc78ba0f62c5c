"""The scan benchmark: photographs of textured head scans, and the faces that methods make of them, by NoW."""
